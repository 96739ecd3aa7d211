"""What neighbours answer over HTTP, read tolerantly where that is safe and strictly where not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from temporalio.client import Client

from activities.adapters.gateway import HttpGateway
from activities.adapters.http import MAX_ANSWER_BYTES, Neighbour, create_client
from activities.adapters.inventory import HttpInventory, UncheckedInventory
from activities.adapters.ordering import HttpOrdering
from bootstrap.settings import Settings
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest
from domain.money import Money
from domain.verification import Order, Reservation, verify_order, verify_reservation
from tests.builders import NOON, an_instruction
from workflows import worker

ORDER, CUSTOMER, SEAT = (UUID(f"0f8fad5b-d9cb-469f-a165-70867728950{digit}") for digit in "123")
KEY = "pay_1_charge"
CHARGE = ChargeRequest(
    key=KEY,
    payment_id=UUID(int=1),
    order_id=ORDER,
    amount=Money.parse("9999999999999.90", "USD"),
    payment_method="wallet",
)
REFUND = RefundRequest(key="pay_1_refund", charge_key=KEY, amount=Money.parse("150.00", "USD"))

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
) -> Neighbour:
    transport = httpx.MockTransport(handler)
    client = httpx.AsyncClient(transport=transport, base_url="http://neighbour/base")
    return Neighbour(client, "The neighbour", unavailable, seconds)


async def order(handler: Handler, *, accept_stateless: bool = False) -> Order:
    return await HttpOrdering(neighbour(handler), accept_stateless=accept_stateless).fetch_order(
        ORDER
    )


async def reservation(handler: Handler) -> Reservation:
    inventory = HttpInventory(neighbour(handler, ErrorCode.INVENTORY_UNAVAILABLE))
    return await inventory.fetch_reservation(SEAT)


def gateway(handler: Handler) -> HttpGateway:
    return HttpGateway(neighbour(handler, ErrorCode.GATEWAY_UNAVAILABLE))


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
    "too long": Answers('"' + "x" * MAX_ANSWER_BYTES + '"'),
    "redirect": Answers("", 302, location="http://elsewhere/"),
}


@pytest.mark.parametrize("handler", UNUSABLE.values(), ids=UNUSABLE)
async def test_no_usable_answer_means_unavailable(handler: Handler) -> None:
    with pytest.raises(PaymentError, match="The neighbour is not available") as caught:
        await neighbour(handler, seconds=0.02).ask("GET", "/")
    assert caught.value.code is ErrorCode.ORDERING_UNAVAILABLE


def http_date(seconds_from_now: float, zone: str = "GMT") -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
    return moment.strftime(f"%a, %d %b %Y %H:%M:%S {zone}")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        *(("30", 30), ("0", 0), (http_date(-60), 0)),
        *((http_date(3600, zone), 3600) for zone in ("GMT", "-0000")),
        *((text, None) for text in ("-1", "soon", "1.5", "", "9" * 30, "Mon, 99 Nov")),
    ],
)
async def test_a_neighbour_says_when_to_ask_again(
    status: int, told: str, seconds: float | None
) -> None:
    with pytest.raises(PaymentError) as caught:
        await neighbour(Answers("", status, retry_after=told)).ask("GET", "/")
    after = caught.value.retry_after
    found = None if after is None else after.total_seconds()
    assert found == (seconds and pytest.approx(seconds, abs=60))


async def test_an_answer_of_the_greatest_length_is_read() -> None:
    text = "x" * (MAX_ANSWER_BYTES - 2)

    assert await neighbour(Answers(text.join('""'))).ask("GET", "/") == (200, text)


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
    assert (await order(Answers(body), accept_stateless=True)).state == "pending"
    paid = Answers({**body, "state": "paid"})
    assert (await order(paid, accept_stateless=True)).state == "paid"


async def test_a_null_does_not_hide_the_other_spelling() -> None:
    body = {"state": None, "status": "paid", "userId": None, "customerId": "c", "total": 1}

    found = await order(Answers(body), accept_stateless=True)

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
    with pytest.raises(PaymentError, match="it lapses before"):
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


# The gateway.


def a_charge(**members: Any) -> dict[str, Any]:
    return {"key": KEY, "state": "captured", "isSimulated": True, **members}


SUCCESS = a_charge(transactionId="txn_1", response="Success - TransactionId: txn_1")
DECLINE = a_charge(
    state="declined",
    code="INSUFFICIENT_FUNDS",
    message="Not enough.",
    response="Failed - INSUFFICIENT_FUNDS: Not enough.",
)


@pytest.mark.parametrize("status", [200, 201])
async def test_a_capture_is_an_answer(status: int) -> None:
    assert await gateway(Answers(SUCCESS, status)).charge(CHARGE) == Charge(
        key=KEY,
        state=ChargeState.CAPTURED,
        transaction_id="txn_1",
        is_simulated=True,
        simulated_response="Success - TransactionId: txn_1",
    )


async def test_a_decline_is_an_answer() -> None:
    assert await gateway(Answers(DECLINE, 402)).charge(CHARGE) == Charge(
        key=KEY,
        state=ChargeState.DECLINED,
        error_code=ErrorCode.INSUFFICIENT_FUNDS,
        message="Not enough.",
        is_simulated=True,
        simulated_response="Failed - INSUFFICIENT_FUNDS: Not enough.",
    )


@pytest.mark.parametrize("code", ["LOST_CARD", "insufficient_funds"])
async def test_a_decline_with_a_foreign_code_is_a_processor_error(code: str) -> None:
    charge = await gateway(Answers({**DECLINE, "code": code}, 402)).charge(CHARGE)

    assert charge.error_code is ErrorCode.PROCESSOR_ERROR


async def test_a_voided_key_is_an_answer() -> None:
    charge = await gateway(Answers(a_charge(state="voided"), 409)).charge(CHARGE)

    assert charge.state is ChargeState.VOIDED


async def test_a_real_gateways_response_is_not_called_simulated() -> None:
    charge = await gateway(Answers({**SUCCESS, "isSimulated": False})).charge(CHARGE)

    assert (charge.is_simulated, charge.simulated_response) == (False, None)


async def test_a_charge_is_sent_once_and_exactly() -> None:
    answers = Answers(SUCCESS)

    await gateway(answers).charge(CHARGE)

    request = answers.request
    assert (request.method, request.url.path) == ("POST", "/base/charges")
    assert request.headers["idempotency-key"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert request.content.decode() == (
        f'{{"paymentId":"{UUID(int=1)}","orderId":"{ORDER}","amount":9999999999999.90,'
        '"currency":"USD","paymentMethod":"wallet"}'
    )


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422])
async def test_a_charge_that_is_refused_is_a_processor_error(status: int) -> None:
    with pytest.raises(PaymentError) as caught:
        await gateway(Answers({"error": "mismatch"}, status)).charge(CHARGE)
    assert caught.value.code is ErrorCode.PROCESSOR_ERROR


NO_CHARGE: dict[str, Handler] = {
    **{name: UNUSABLE[name] for name in ("429", "500", "504", "refused", "timeout", "cut")},
    "truncated": Answers(json.dumps(SUCCESS)[:-5], 201),
    "array": Answers("[]", 201),
    "no key": Answers({"state": "captured", "isSimulated": True}, 201),
    "no state": Answers({"key": KEY, "isSimulated": True}, 201),
    "foreign state": Answers(a_charge(state="settling"), 201),
    "another's key": Answers(a_charge(key="pay_2_charge"), 201),
}


@pytest.mark.parametrize("handler", NO_CHARGE.values(), ids=NO_CHARGE)
@pytest.mark.parametrize("operation", ["charge", "find", "void"])
async def test_an_unclear_answer_leaves_the_outcome_open(handler: Handler, operation: str) -> None:
    ask = gateway(handler)
    operations: dict[str, Callable[[], Awaitable[object]]] = {
        "charge": lambda: ask.charge(CHARGE),
        "find": lambda: ask.find_charge(KEY, CHARGE.amount),
        "void": lambda: ask.void_charge(KEY, CHARGE.amount),
    }

    with pytest.raises(PaymentError) as caught:
        await operations[operation]()
    assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE


async def test_a_charge_is_looked_up_by_its_key() -> None:
    answers = Answers(SUCCESS)

    charge = await gateway(answers).find_charge(KEY, CHARGE.amount)

    assert charge is not None
    assert charge.state is ChargeState.CAPTURED
    assert (answers.request.method, answers.request.url.path) == ("GET", f"/base/charges/{KEY}")


async def test_a_key_that_the_gateway_has_not_seen_has_no_charge() -> None:
    assert await gateway(Answers({"error": "unknown"}, 404)).find_charge(KEY, CHARGE.amount) is None


@pytest.mark.parametrize("status", [400, 401, 403, 409])
async def test_a_refused_look_up_leaves_the_outcome_open(status: int) -> None:
    for operation in (HttpGateway.find_charge, HttpGateway.void_charge):
        with pytest.raises(PaymentError) as caught:
            await operation(gateway(Answers({"error": "no"}, status)), KEY, CHARGE.amount)
        assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("state", ChargeState)
async def test_a_void_answers_how_the_charge_finally_stands(state: ChargeState) -> None:
    answers = Answers(a_charge(state=state))

    assert (await gateway(answers).void_charge(KEY, CHARGE.amount)).state is state
    assert answers.request.method == "POST"
    assert answers.request.url.path == f"/base/charges/{KEY}/void"


@pytest.mark.parametrize("status", [200, 201])
async def test_a_refund_is_sent_once_and_exactly(status: int) -> None:
    answers = Answers({"key": REFUND.key}, status)

    await gateway(answers).refund(REFUND)

    assert answers.request.url.path == "/base/refunds"
    assert answers.request.headers["idempotency-key"] == "pay_1_refund"
    assert (
        answers.request.content == b'{"chargeKey":"pay_1_charge","amount":150.00,"currency":"USD"}'
    )


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        *((Answers({}, status), ErrorCode.REFUND_REFUSED) for status in (202, 400, 404, 409, 422)),
        *((UNUSABLE[name], ErrorCode.GATEWAY_UNAVAILABLE) for name in ("500", "cut", "page")),
    ],
    ids=["202", "400", "404", "409", "422", "500", "cut", "page"],
)
async def test_a_refund_that_did_not_happen(handler: Handler, code: ErrorCode) -> None:
    with pytest.raises(PaymentError) as caught:
        await gateway(handler).refund(REFUND)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("handler", "found"),
    [(Answers({"key": REFUND.key}), True), (Answers({"error": "none"}, 404), False)],
)
async def test_a_refund_is_looked_up(handler: Answers, found: bool) -> None:
    assert await gateway(handler).is_refunded(REFUND.key) is found
    assert handler.request.url.path == "/base/refunds/pay_1_refund"


@pytest.mark.parametrize(
    "handler",
    [Answers({"key": "another"}), Answers([]), *(UNUSABLE[name] for name in ("500", "cut"))],
)
async def test_a_look_up_without_an_answer_is_none(handler: Handler) -> None:
    with pytest.raises(PaymentError) as caught:
        await gateway(handler).is_refunded(REFUND.key)
    assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE


# The worker, which puts them together.


@pytest.mark.parametrize(
    ("changes", "inventory", "stateless"),
    [
        ({}, HttpInventory, False),
        ({"reservation_check": "off"}, UncheckedInventory, False),
        ({"order_without_state": "accept"}, HttpInventory, True),
    ],
    ids=["default", "no reservations", "no states"],
)
async def test_settings_choose_the_adapters(
    changes: dict[str, Any], inventory: type, stateless: bool
) -> None:
    client = await Client.connect("unused:1", lazy=True)
    async with AsyncExitStack() as stack:
        steps = await worker._activities(Settings.model_construct(**changes), client, stack)
        by_name: dict[str, Any] = {step.__name__: step for step in steps}

        assert by_name["fetch_order"].__self__._ordering._accept_stateless is stateless
        assert isinstance(by_name["fetch_reservation"].__self__._inventory, inventory)
        gateway = by_name["charge"].__self__._gateway._neighbour
        assert gateway._unavailable is ErrorCode.GATEWAY_UNAVAILABLE
        assert gateway._client.base_url == "http://gateway:5005/"
