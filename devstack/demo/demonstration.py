"""The demonstration: make real payments over HTTP, then compare what five systems record."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import httpx
from rich.console import Console

from devstack.demo.books import Books, is_at_stripe, read_books, read_topics
from domain import exact_json
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, workflow_id

_AGREE_TIMEOUT_SECONDS = 10
"""How long the systems may take to record a payment after its response. Chosen, not measured."""
_READ_INTERVAL_SECONDS = 0.2
"""Pause between two reads of all systems. Chosen, not measured."""
_RESPONSE_TIMEOUT_SECONDS = 60
"""Longer than the API waits for a payment to end, which is 30 s."""


@dataclass(frozen=True)
class Scenario:
    """A payment to make, and what must be recorded about it afterwards."""

    title: str
    http_status: int
    books: Books
    amount: str = "150.00"
    card: str = "visa"
    """The test card of Stripe with which the payment is made at the Stripe-shaped gateway."""
    hold: timedelta | None = None
    """How long the seat is still reserved; negative if that is over, None without a seat."""
    by_another_customer: bool = False
    is_repeated: bool = False
    """The same request is sent twice; both responses must be equal."""
    is_unrecordable: bool = False
    """PostgreSQL refuses to record the success, so the charge must be refunded."""


def _paid(amount: str) -> Books:
    net = Decimal(amount)
    return Books("succeeded", "succeeded", "captured", net, (TOPIC_SUCCEEDED,), "paid")


def _failed(code: str, charge: str) -> Books:
    return Books(code, "failed", charge, Decimal(0), (TOPIC_FAILED,), "cancelled")


SCENARIOS = (
    Scenario("paid, with a seat", 200, _paid("150.00"), hold=timedelta(minutes=15)),
    Scenario(
        "declined by gateway",
        422,
        _failed("CARD_DECLINED", "declined"),
        amount="150.13",
        card="chargeDeclined",
    ),
    Scenario(
        "reservation expired",
        400,
        _failed("RESERVATION_NOT_ACTIVE", "none"),
        hold=timedelta(minutes=-1),
    ),
    Scenario(
        "somebody else's order",
        401,
        Books("CUSTOMER_MISMATCH", "failed", "none", Decimal(0), (), "pending"),
        by_another_customer=True,
    ),
    Scenario("same order paid twice", 200, _paid("99.90"), amount="99.90", is_repeated=True),
    Scenario("not recordable", 422, _failed("RECORD_REFUSED", "refunded"), is_unrecordable=True),
)


@dataclass(frozen=True)
class Attempt:
    """A payment that was made, with the API's response."""

    scenario: Scenario
    order_id: UUID
    http_status: int
    response: str
    milliseconds: float


async def run(environment: Mapping[str, str], console: Console) -> bool:
    """Make the payment of every scenario. Returns True if all that is recorded is as expected."""
    console.print("\n[bold]Payments[/bold]\n")
    attempts = []
    async with httpx.AsyncClient(trust_env=False, timeout=_RESPONSE_TIMEOUT_SECONDS) as client:
        for scenario in SCENARIOS:
            attempt = await _pay(environment, client, scenario)
            _print_attempt(console, attempt, environment["TEMPORAL_UI_URL"])
            attempts.append(attempt)
    console.print("\n[bold]What each system has recorded[/bold] (✗ marks a difference)\n")
    found = await _read_until_expected(environment, attempts)
    _print_books(console, attempts, found)
    _print_next_steps(console, environment)
    return all(
        attempt.http_status == attempt.scenario.http_status and books == attempt.scenario.books
        for attempt, books in zip(attempts, found, strict=True)
    )


async def _pay(
    environment: Mapping[str, str], client: httpx.AsyncClient, scenario: Scenario
) -> Attempt:
    order_id, body = await _place_order(environment, client, scenario)
    url = f"{environment['PAYMENT_API_URL']}/payments"
    async with _unrecordable(environment["DATABASE_URL"], order_id, scenario.is_unrecordable):
        began = time.perf_counter()
        response = await _post(client, url, body)
        milliseconds = 1000 * (time.perf_counter() - began)
        if scenario.is_repeated:
            second = await _post(client, url, body)
            assert second.content == response.content, "the second response differs"
    content = response.json()
    result = "succeeded" if content["success"] else content["code"]
    return Attempt(scenario, order_id, response.status_code, result, milliseconds)


async def _place_order(
    environment: Mapping[str, str], client: httpx.AsyncClient, scenario: Scenario
) -> tuple[UUID, dict[str, object]]:
    """Create the order and its reservation. Returns the order's id and the payment request."""
    order_id, customer, amount = uuid4(), uuid4(), Decimal(scenario.amount)
    order = {"id": order_id, "customerId": customer, "totalAmount": amount}
    await _post(client, f"{environment['ORDERING_URL']}/orders", order)
    payer = uuid4() if scenario.by_another_customer else customer
    body: dict[str, object] = {"orderId": order_id, "customerId": payer, "amount": amount}
    if is_at_stripe(environment):
        body["paymentMethodToken"] = f"pm_card_{scenario.card}"
    if scenario.hold is not None:
        body["reservationId"] = uuid4()
        seat = {"id": body["reservationId"], "orderId": order_id, "customerId": customer}
        seat["expiresAt"] = datetime.now(UTC) + scenario.hold
        await _post(client, f"{environment['INVENTORY_URL']}/reservations", seat)
    return order_id, body


async def _post(client: httpx.AsyncClient, url: str, body: object) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return await client.post(url, content=exact_json.dumps(body), headers=headers)


@asynccontextmanager
async def _unrecordable(database_url: str, order_id: UUID, wanted: bool) -> AsyncIterator[None]:
    """If wanted, a trigger in PostgreSQL refuses to set this order's payment to succeeded."""
    if not wanted:
        yield
        return
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            f"""
            CREATE OR REPLACE FUNCTION bc_payment.demo_refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'demo' USING ERRCODE = 'check_violation'; END $$;
            CREATE OR REPLACE TRIGGER demo_refuse BEFORE UPDATE ON bc_payment.payments
            FOR EACH ROW WHEN (NEW.order_id = '{order_id}' AND NEW.status = 'succeeded')
            EXECUTE FUNCTION bc_payment.demo_refuse()
            """
        )
        yield
        await connection.execute("DROP FUNCTION bc_payment.demo_refuse() CASCADE")
    finally:
        await connection.close()


def _print_attempt(console: Console, attempt: Attempt, ui_url: str) -> None:
    is_expected = attempt.http_status == attempt.scenario.http_status
    mark = "[green]✓[/green]" if is_expected else "[red]✗[/red]"
    console.print(
        f"  {mark} {attempt.scenario.title:<22} {attempt.http_status}  {attempt.response:<23}"
        f"{attempt.milliseconds:>6.0f} ms"
    )
    link = f"{ui_url}/namespaces/default/workflows/{workflow_id(attempt.order_id)}"
    console.print(f"    [dim]{link}[/dim]")


async def _read_until_expected(
    environment: Mapping[str, str], attempts: list[Attempt]
) -> list[Books]:
    """Read all systems again until they record what is expected, or the time is up."""
    expected = [each.scenario.books for each in attempts]
    deadline = time.monotonic() + _AGREE_TIMEOUT_SECONDS
    while True:
        topics = await read_topics(environment["KAFKA_BOOTSTRAP_SERVERS"])
        found = [
            await read_books(
                environment, each.order_id, each.response, topics.get(str(each.order_id), ())
            )
            for each in attempts
        ]
        if found == expected or time.monotonic() > deadline:
            return found
        await asyncio.sleep(_READ_INTERVAL_SECONDS)


def _print_books(console: Console, attempts: list[Attempt], found: list[Books]) -> None:
    console.print(
        _columns("", "HTTP answer", "PostgreSQL", "net at", "gateway", "Kafka", "Ordering")
    )
    for attempt, books in zip(attempts, found, strict=True):
        console.print(_columns(attempt.scenario.title, *_cells(books)))
        if books != attempt.scenario.books:
            expected = _columns("  ✗ expected", *_cells(attempt.scenario.books))
            console.print(f"[red]{expected}[/red]")


def _cells(books: Books) -> tuple[str, ...]:
    event = ", ".join(books.topics) or "no event"
    return books.response, books.row, f"{books.net:.2f}", books.charge, event, books.order


def _columns(*cells: str) -> str:
    return "  {:<22}{:<23}{:<11}{:>7} {:<9}{:<18}{}".format(*cells)


def _print_next_steps(console: Console, environment: Mapping[str, str]) -> None:
    api, ordering = environment["PAYMENT_API_URL"], environment["ORDERING_URL"]
    order, customer = uuid4(), uuid4()
    card = ',"paymentMethodToken":"pm_card_visa"' if is_at_stripe(environment) else ""
    console.print(f"""
[bold]The system keeps running[/bold]

  Shop             {environment["SHOP_URL"]}
  API docs         {api}/docs
  Temporal Web UI  {environment["TEMPORAL_UI_URL"]}

  Pay an order of your own:
    curl -s {ordering}/orders -H 'content-type: application/json' \\
      -d '{{"id":"{order}","customerId":"{customer}","totalAmount":20.00}}'
    curl -s {api}/payments -H 'content-type: application/json' \\
      -d '{{"orderId":"{order}","customerId":"{customer}","amount":20.00{card}}}'

  Then: make status, make logs, make test; make down stops it all.""")


def main() -> None:
    """Run the demonstration on the running stack. Exits with 1 if a record is not as expected."""
    console = Console(highlight=False, soft_wrap=True)
    if not asyncio.run(run(os.environ, console)):
        console.print("\n[red]The systems do not agree.[/red] `make logs` may show why.")
        sys.exit(1)
