"""What neighbours answer over HTTP, read tolerantly where that is safe and strictly where not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from temporalio.client import Client

from activities.adapters.inventory import HttpInventory, UncheckedInventory
from activities.adapters.json_client import MAX_RESPONSE_BYTES, JsonClient, create_client
from activities.adapters.ordering import HttpOrdering
from bootstrap.settings import Settings
from domain.errors import ErrorCode, PaymentError
from domain.verification import Order, Reservation, verify_order, verify_reservation
from tests.support.builders import NOON, an_instruction
from workflows import worker

ORDER, CUSTOMER, SEAT = (UUID(f"0f8fad5b-d9cb-469f-a165-70867728950{digit}") for digit in "123")

Handler = Callable[[httpx.Request], Any]


class Answers:
    """A neighbour that always gives the same answer, and keeps what it was asked."""

    def __init__(self, content: Any = b"", status: int = 200, **headers: str) -> None:
        self._content = content if isinstance(content, bytes | str) else json.dumps(content)
        self._status = status
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request = httpx.Request("GET", "http://nobody")

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        return httpx.Response(self._status, content=self._content, headers=self._headers)


def neighbour(
    handler: Handler,
    unavailable: ErrorCode = ErrorCode.ORDERING_UNAVAILABLE,
    seconds: float = 30,
) -> JsonClient:
    transport = httpx.MockTransport(handler)
    client = httpx.AsyncClient(transport=transport, base_url="http://neighbour/base")
    return JsonClient(client, "The neighbour", unavailable, seconds)


async def order(handler: Handler, *, accept_without_state: bool = False) -> Order:
    return await HttpOrdering(
        neighbour(handler), accept_without_state=accept_without_state
    ).fetch_order(ORDER)


async def reservation(handler: Handler) -> Reservation:
    inventory = HttpInventory(neighbour(handler, ErrorCode.INVENTORY_UNAVAILABLE))
    return await inventory.fetch_reservation(SEAT)


# Every neighbour.


def raises(error: Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


async def silence(_: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


def drip(_: httpx.Request) -> httpx.Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.001)

    return httpx.Response(200, content=drops())


UNUSABLE: dict[str, Handler] = {
    **{str(status): Answers({}, status) for status in (429, 500, 502, 503, 504)},
    "refused": raises(httpx.ConnectError("refused")),
    "timeout": raises(httpx.ReadTimeout("slow")),
    "cut": raises(httpx.RemoteProtocolError("cut")),
    "silence": silence,
    "drip": drip,
    "empty": Answers(),
    "page": Answers("<html>"),
    "truncated": Answers('{"state": "pend'),
    "binary": Answers(b"\xff\xfe\x00"),
    "deep": Answers("[" * 100_000),
    "bad gzip": Answers("{}", content_encoding="gzip"),
    "too long": Answers('"' + "x" * MAX_RESPONSE_BYTES + '"'),
    "redirect": Answers("", 302, location="http://elsewhere/"),
}


@pytest.mark.parametrize("handler", UNUSABLE.values(), ids=UNUSABLE)
async def test_no_usable_answer_means_unavailable(handler: Handler) -> None:
    with pytest.raises(PaymentError, match="The neighbour is not available") as caught:
        await neighbour(handler, seconds=0.02).request("GET", "/")
    assert caught.value.code is ErrorCode.ORDERING_UNAVAILABLE


def http_date(seconds_from_now: float, zone: str = "GMT") -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
    return moment.strftime(f"%a, %d %b %Y %H:%M:%S {zone}")


RETRY_AFTER: list[tuple[str, float | None]] = [
    *(("30", 30), ("0", 0)),
    *((text, None) for text in ("-1", "soon", "1.5", "", "9" * 30, "Mon, 99 Nov")),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("told", "seconds"), RETRY_AFTER)
async def test_a_neighbour_says_when_to_ask_again(
    status: int, told: str, seconds: float | None
) -> None:
    await assert_asked_again_after(status, told, seconds)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("zone", ["GMT", "-0000"])
async def test_a_neighbour_names_the_time_to_ask_again(status: int, zone: str) -> None:
    await assert_asked_again_after(status, http_date(3600, zone), 3600)
    await assert_asked_again_after(status, http_date(-60, zone), 0)


async def assert_asked_again_after(status: int, told: str, seconds: float | None) -> None:
    with pytest.raises(PaymentError) as caught:
        await neighbour(Answers("", status, retry_after=told)).request("GET", "/")
    after = caught.value.retry_after
    found = None if after is None else after.total_seconds()
    assert found == (seconds and pytest.approx(seconds, rel=0.05))


async def test_an_answer_of_the_greatest_length_is_read() -> None:
    text = "x" * (MAX_RESPONSE_BYTES - 2)

    assert await neighbour(Answers(text.join('""'))).request("GET", "/") == (200, text)


async def test_redirects_and_proxies_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")

    async with create_client("http://ordering") as client:
        assert not client.follow_redirects
        assert not client.trust_env
        assert client._mounts == {}


# Ordering.


@pytest.mark.parametrize(
    "body",
    [
        {"state": "pending", "userId": str(CUSTOMER), "totalAmount": 150.25, "currency": "USD"},
        {"status": "Pending", "customerId": str(CUSTOMER), "total": "150.25", "currency": "USD"},
        {"state": "PENDING", "customerEmail": str(CUSTOMER).upper(), "price": 150.25},
        {"status": " pending ", "userId": f" {CUSTOMER}", "price": "150.250", "currency": None},
    ],
    ids=["state", "status", "email", "spaces"],
)
async def test_an_order_is_read_in_all_its_spellings(body: dict[str, Any]) -> None:
    assert await order(Answers(body)) == Order(
        id=ORDER,
        customer_id=str(CUSTOMER),
        state="pending",
        total=Decimal("150.25"),
        currency=body.get("currency"),
    )


@pytest.mark.parametrize("total", ["10000000000000000.01", "0.1", "150.00", "1e2"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["number", "string"])
async def test_a_total_keeps_its_digits(total: str, quote: str) -> None:
    assert (await order(Answers(f'{{"total": {quote}{total}{quote}}}'))).total == Decimal(total)


@pytest.mark.parametrize(
    "body", [{"total": 1}, {"total": 1, "state": None}], ids=["absent", "null"]
)
async def test_an_order_without_state_is_pending_only_by_setting(body: dict[str, Any]) -> None:
    assert (await order(Answers(body))).state is None
    assert (await order(Answers(body), accept_without_state=True)).state == "pending"
    paid = Answers({**body, "state": "paid"})
    assert (await order(paid, accept_without_state=True)).state == "paid"


async def test_a_null_does_not_hide_the_other_spelling() -> None:
    body = {"state": None, "status": "paid", "userId": None, "customerId": "c", "total": 1}

    found = await order(Answers(body), accept_without_state=True)

    assert (found.state, found.customer_id) == ("paid", "c")


async def test_a_missing_order_is_not_found() -> None:
    with pytest.raises(PaymentError, match="Order not found") as caught:
        await order(Answers({"error": "no such order"}, 404))
    assert caught.value.code is ErrorCode.ORDER_NOT_FOUND


@pytest.mark.parametrize(
    "answer",
    [
        *(Answers(body) for body in ("[]", "null", "{}", '"order"', '{"state": "pending"}')),
        *(Answers(f'{{"total": {total}}}') for total in ('""', '"x"', "null", "true", "[]", "NaN")),
        *(Answers(f'{{"total": 1, "state": {state}}}') for state in ("[]", "true")),
        *(Answers({"total": 1}, status) for status in (302, 400, 401, 403, 409)),
    ],
    ids=lambda answer: f"{answer._status} {answer._content[:30]}",
)
async def test_what_is_no_order_means_unavailable(answer: Answers) -> None:
    with pytest.raises(PaymentError) as caught:
        await order(answer)
    assert caught.value.code is ErrorCode.ORDERING_UNAVAILABLE


async def test_an_absurd_total_makes_no_absurd_message() -> None:
    instruction = an_instruction(order_id=ORDER, customer_id=CUSTOMER)
    absurd = Answers(f'{{"state": "pending", "userId": "{CUSTOMER}", "total": 1e99999}}')

    with pytest.raises(PaymentError) as caught:
        verify_order(await order(absurd), instruction)
    assert len(caught.value.message) < 500


async def test_an_order_is_asked_for_by_its_id() -> None:
    answers = Answers({"total": 1})

    await order(answers)

    assert answers.request.method == "GET"
    assert answers.request.url == f"http://neighbour/base/orders/{ORDER}"


# Inventory.


@pytest.mark.parametrize(
    "body",
    [
        {"id": str(SEAT), "status": "active", "orderId": str(ORDER), "customerId": str(CUSTOMER)},
        {"reservationId": str(SEAT), "status": "Active", "orderId": str(ORDER).upper()},
        {"status": "ACTIVE", "seats": ["A1"], "expiresAt": None, "customerId": None},
    ],
    ids=["id", "reservationId", "little"],
)
async def test_a_reservation_is_read_in_all_its_spellings(body: dict[str, Any]) -> None:
    assert await reservation(Answers(body)) == Reservation(
        id=SEAT,
        status="active",
        order_id=ORDER if body.get("orderId") else None,
        customer_id=CUSTOMER if body.get("customerId") else None,
    )


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00.0000000Z"],
)
async def test_a_reservations_end_is_read_in_any_zone(text: str) -> None:
    found = await reservation(Answers({"status": "active", "expiresAt": text}))

    assert found.expires_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00", "2026-11-23"])
async def test_an_end_without_a_zone_can_be_compared(text: str) -> None:
    found = await reservation(Answers({"status": "active", "expiresAt": text}))

    instruction = an_instruction(reservation_id=SEAT)
    with pytest.raises(PaymentError, match="it expires before"):
        verify_reservation(found, instruction, NOON + timedelta(days=1), timedelta(seconds=20))


async def test_a_missing_reservation_is_not_active() -> None:
    with pytest.raises(PaymentError, match="there is no such reservation") as caught:
        await reservation(Answers({}, 404))
    assert caught.value.code is ErrorCode.RESERVATION_NOT_ACTIVE


@pytest.mark.parametrize(
    "answer",
    [
        *(Answers(body) for body in ("[]", "null", "{}", '{"status": null}', '{"status": []}')),
        Answers({"status": "active", "orderId": "order"}),
        Answers({"status": "active", "id": str(ORDER)}),
        Answers({"status": "active", "expiresAt": "soon"}),
        *(Answers({"status": "active"}, status) for status in (302, 400)),
        Answers({"type": "about:blank", "title": "Forbidden", "status": 403}, 403),
    ],
    ids=lambda answer: f"{answer._status} {answer._content[:30]}",
)
async def test_what_is_no_reservation_means_unavailable(answer: Answers) -> None:
    with pytest.raises(PaymentError) as caught:
        await reservation(answer)
    assert caught.value.code is ErrorCode.INVENTORY_UNAVAILABLE


async def test_an_unchecked_reservation_is_active_and_never_freed() -> None:
    found = await UncheckedInventory().fetch_reservation(SEAT)

    assert found.status == "active"
    assert not found.may_be_released(ORDER)


# The worker, which puts them together.


@pytest.mark.parametrize(
    ("changes", "inventory", "stateless"),
    [
        ({}, HttpInventory, False),
        ({"environment": "production"}, HttpInventory, False),
        ({"reservation_check": "off"}, UncheckedInventory, False),
        ({"order_without_state": "accept"}, HttpInventory, True),
    ],
    ids=["default", "production", "no reservations", "no states"],
)
async def test_settings_choose_the_adapters(
    changes: dict[str, Any], inventory: type, stateless: bool
) -> None:
    client = await Client.connect("unused:1", lazy=True)
    async with AsyncExitStack() as stack:
        steps = await worker._activities(Settings.model_construct(**changes), client, stack)
        by_name: dict[str, Any] = {step.__name__: step for step in steps}

        assert by_name["fetch_order"].__self__._ordering._accept_without_state is stateless
        assert isinstance(by_name["fetch_reservation"].__self__._inventory, inventory)
        gateway = by_name["charge"].__self__._gateway
        assert gateway._accept_simulated is (changes != {"environment": "production"})
        gateway = gateway._client
        assert gateway._unavailable_code is ErrorCode.GATEWAY_UNAVAILABLE
        assert gateway._http.base_url == "http://gateway:5005/"
