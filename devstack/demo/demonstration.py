"""The demonstration: real payments over HTTP, each with its trace, and five places that agree."""

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

from devstack.demo.books import Books, read_books, read_topics
from domain import exact_json
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, workflow_id

PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Scenario:
    """A payment that is tried, and what everybody must say about it afterwards."""

    title: str
    http: int
    books: Books
    amount: str = "150.00"
    seat: timedelta | None = None
    """For how long a seat is held for the order; None for an order without a seat."""
    by_another: bool = False
    repeated: bool = False
    unrecordable: bool = False


def _paid(amount: str) -> Books:
    kept = Decimal(amount)
    return Books("succeeded", "succeeded", "captured", kept, (TOPIC_SUCCEEDED,), "paid")


def _failed(answer: str, charge: str) -> Books:
    return Books(answer, "failed", charge, Decimal(0), (TOPIC_FAILED,), "cancelled")


SCENARIOS = (
    Scenario("paid, with a seat", 200, _paid("150.00"), seat=timedelta(minutes=15)),
    Scenario("declined by gateway", 422, _failed("CARD_DECLINED", "declined"), amount="150.13"),
    Scenario(
        "reservation lapsed",
        400,
        _failed("RESERVATION_NOT_ACTIVE", "none"),
        seat=timedelta(minutes=-1),
    ),
    Scenario(
        "somebody else's order",
        401,
        Books("CUSTOMER_MISMATCH", "failed", "none", Decimal(0), (), "pending"),
        by_another=True,
    ),
    Scenario("same order paid twice", 200, _paid("99.90"), amount="99.90", repeated=True),
    Scenario("not recordable", 422, _failed("RECORD_REFUSED", "refunded"), unrecordable=True),
)


@dataclass(frozen=True)
class Attempt:
    scenario: Scenario
    order_id: UUID
    http: int
    answer: str
    milliseconds: float


async def run(environment: Mapping[str, str], console: Console) -> bool:
    """Make every scenario's payment; whether the five places say what they must."""
    console.print("\n[bold]Payments[/bold]\n")
    attempts = []
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for scenario in SCENARIOS:
            attempt = await _try(environment, client, scenario)
            _show(console, attempt, environment["TEMPORAL_UI_URL"])
            attempts.append(attempt)
    console.print("\n[bold]Who says what[/bold] (✗ marks what is not as it must be)\n")
    found = await _agreeing_books(environment, attempts)
    _compare(console, attempts, found)
    _say_where_to_go(console, environment)
    return all(
        attempt.http == attempt.scenario.http and books == attempt.scenario.books
        for attempt, books in zip(attempts, found, strict=True)
    )


async def _try(
    environment: Mapping[str, str], client: httpx.AsyncClient, scenario: Scenario
) -> Attempt:
    order_id, body = await _place_order(environment, client, scenario)
    async with _unrecordable(environment["DATABASE_URL"], order_id, scenario.unrecordable):
        began = time.perf_counter()
        answer = await _post(client, f"{environment['PAYMENT_API_URL']}/payments", body)
        milliseconds = 1000 * (time.perf_counter() - began)
        if scenario.repeated:
            again = await _post(client, f"{environment['PAYMENT_API_URL']}/payments", body)
            assert again.content == answer.content, "the second answer is another one"
    shown = answer.json()
    said = "succeeded" if shown["success"] else shown["code"]
    return Attempt(scenario, order_id, answer.status_code, said, milliseconds)


async def _place_order(
    environment: Mapping[str, str], client: httpx.AsyncClient, scenario: Scenario
) -> tuple[UUID, dict[str, object]]:
    order_id, customer, amount = uuid4(), uuid4(), Decimal(scenario.amount)
    order = {"id": order_id, "customerId": customer, "totalAmount": amount}
    await _post(client, f"{environment['ORDERING_URL']}/orders", order)
    payer = uuid4() if scenario.by_another else customer
    body: dict[str, object] = {"orderId": order_id, "customerId": payer, "amount": amount}
    if scenario.seat is not None:
        body["reservationId"] = uuid4()
        seat = {"id": body["reservationId"], "orderId": order_id, "customerId": customer}
        seat["expiresAt"] = datetime.now(UTC) + scenario.seat
        await _post(client, f"{environment['INVENTORY_URL']}/reservations", seat)
    return order_id, body


async def _post(client: httpx.AsyncClient, url: str, body: object) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return await client.post(url, content=exact_json.dumps(body), headers=headers)


@asynccontextmanager
async def _unrecordable(database_url: str, order_id: UUID, wanted: bool) -> AsyncIterator[None]:
    """Let PostgreSQL refuse, with a trigger, that this one order's payment succeeds."""
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


def _show(console: Console, attempt: Attempt, ui: str) -> None:
    mark = "[green]✓[/green]" if attempt.http == attempt.scenario.http else "[red]✗[/red]"
    console.print(
        f"  {mark} {attempt.scenario.title:<22} {attempt.http}  {attempt.answer:<23}"
        f"{attempt.milliseconds:>6.0f} ms"
    )
    link = f"{ui}/namespaces/default/workflows/{workflow_id(attempt.order_id)}"
    console.print(f"    [dim]{link}[/dim]")


async def _agreeing_books(environment: Mapping[str, str], attempts: list[Attempt]) -> list[Books]:
    """The books, once they are as they must be; after a while, as they are."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        topics = await read_topics(environment["KAFKA_BOOTSTRAP_SERVERS"])
        found = [
            await read_books(
                environment, each.order_id, each.answer, topics.get(str(each.order_id), ())
            )
            for each in attempts
        ]
        expected = [each.scenario.books for each in attempts]
        if found == expected or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


def _compare(console: Console, attempts: list[Attempt], found: list[Books]) -> None:
    console.print(
        _columns("", "HTTP answer", "PostgreSQL", "net at", "gateway", "Kafka", "Ordering")
    )
    for attempt, books in zip(attempts, found, strict=True):
        console.print(_columns(attempt.scenario.title, *_said(books)))
        if books != attempt.scenario.books:
            must_be = _columns("  ✗ must be", *_said(attempt.scenario.books))
            console.print(f"[red]{must_be}[/red]")


def _said(books: Books) -> tuple[str, ...]:
    event = ", ".join(books.topics) or "no event"
    return books.answer, books.row, f"{books.net:.2f}", books.charge, event, books.order


def _columns(*cells: str) -> str:
    return "  {:<22}{:<23}{:<11}{:>7} {:<9}{:<18}{}".format(*cells)


def _say_where_to_go(console: Console, environment: Mapping[str, str]) -> None:
    api, ordering = environment["PAYMENT_API_URL"], environment["ORDERING_URL"]
    order, customer = uuid4(), uuid4()
    console.print(f"""
[bold]The system keeps running[/bold]

  Shop             {environment["SHOP_URL"]}
  API docs         {api}/docs
  Temporal Web UI  {environment["TEMPORAL_UI_URL"]}

  Pay an order of your own:
    curl -s {ordering}/orders -H 'content-type: application/json' \\
      -d '{{"id":"{order}","customerId":"{customer}","totalAmount":20.00}}'
    curl -s {api}/payments -H 'content-type: application/json' \\
      -d '{{"orderId":"{order}","customerId":"{customer}","amount":20.00}}'

  Then: make status, make logs, make test; make down stops it all.""")


def main() -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not asyncio.run(run(os.environ, console)):
        console.print("\n[red]Not everybody agrees.[/red] `make logs` may tell why.")
        sys.exit(1)


if __name__ == "__main__":
    main()
