"""Sends changed responses to the adapters, one by one: none is misunderstood or breaks them."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from pydantic import BaseModel

from activities.adapters.gateway import HttpGateway
from activities.adapters.inventory import HttpInventory
from activities.adapters.json_client import JsonClient
from activities.adapters.ordering import HttpOrdering
from activities.adapters.stripe.gateway import StripeGateway
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, GatewayRefund, RefundRequest
from domain.names import refund_key
from domain.text import readable
from domain.verification import verify_order, verify_reservation
from tests.proofs.hostile import at_stripe
from tests.proofs.hostile.at_stripe import AtStripe
from tests.proofs.hostile.mutations import NeighbourResponse, mutate
from tests.proofs.hostile.oracle import ResponseMembers, objections
from tests.proofs.hostile.tally import Tally
from tests.support.builders import NOON, an_instruction
from tests.support.stripe_gateway import on_http

MAX_MUTATIONS = 3
IDS = (UUID(f"0f8fad5b-d9cb-469f-a165-70867728950{digit}") for digit in "1234")
NAMES = ("order_id", "customer_id", "reservation_id", "payment_id")
INSTRUCTION = an_instruction(**dict(zip(NAMES, IDS, strict=True)))
CHARGE = INSTRUCTION.charge_request
REFUND = RefundRequest(
    key=refund_key(CHARGE.payment_id), charge_key=CHARGE.key, amount=CHARGE.amount
)
AMOUNT = {"amount": 150.0, "currency": "USD"}
CAPTURED = {"key": CHARGE.key, "state": "captured", "isSimulated": True, **AMOUNT} | {
    "transactionId": "txn_1",
    "response": "Success - TransactionId: txn_1",
    "refundedAmount": None,
}
DECLINED = CAPTURED | {"state": "declined", "code": "CARD_DECLINED", "message": "Declined."}
REFUNDED = CAPTURED | {"state": "refunded", "refundedAmount": 150.0}
MADE = {"key": REFUND.key, "chargeKey": CHARGE.key, "state": "succeeded", **AMOUNT}
ORDER = {
    "id": str(INSTRUCTION.order_id),
    "customerId": str(INSTRUCTION.customer_id),
    "status": "pending",
    "totalAmount": 150.0,
    "currency": "USD",
}
HELD = {
    "id": str(INSTRUCTION.reservation_id),
    "orderId": str(INSTRUCTION.order_id),
    "customerId": str(INSTRUCTION.customer_id),
    "status": "active",
    "expiresAt": "2027-01-01T00:00:00Z",
}


class Ports(NamedTuple):
    ordering: HttpOrdering
    inventory: HttpInventory
    gateway: HttpGateway
    stripe: StripeGateway


class Exchange(NamedTuple):
    """A request, and the correct responses to it."""

    ask: Callable[[Ports], Awaitable[object]]
    about: Any
    honest: tuple[NeighbourResponse, ...]


def _refusal(status: int, code: str, key: str) -> NeighbourResponse:
    return NeighbourResponse(status, {"error": "in words", "code": code, "key": key})


async def _at_stripe(send: Callable[[StripeGateway], Awaitable[object]], ports: Ports) -> object:
    return await send(ports.stripe)


STANDING = tuple(NeighbourResponse(200, body) for body in (CAPTURED, DECLINED, REFUNDED))
NO_CHARGE = _refusal(404, "CHARGE_NOT_FOUND", CHARGE.key)
EXCHANGES = {
    "fetch order": Exchange(
        lambda ports: ports.ordering.fetch_order(INSTRUCTION.order_id),
        INSTRUCTION.order_id,
        (NeighbourResponse(200, ORDER), NeighbourResponse(404, {"error": "no such order"})),
    ),
    "fetch reservation": Exchange(
        lambda ports: ports.inventory.fetch_reservation(UUID(str(HELD["id"]))),
        INSTRUCTION.order_id,
        (NeighbourResponse(200, HELD), NeighbourResponse(404, {"error": "no such reservation"})),
    ),
    "charge": Exchange(
        lambda ports: ports.gateway.charge(CHARGE),
        CHARGE,
        (
            NeighbourResponse(201, CAPTURED),
            NeighbourResponse(402, DECLINED),
            NeighbourResponse(409, CAPTURED | {"state": "voided"}),
            _refusal(422, "KEY_REUSED", CHARGE.key),
        ),
    ),
    "find charge": Exchange(
        lambda ports: ports.gateway.find_charge(CHARGE.identity),
        CHARGE,
        (*STANDING, NO_CHARGE),
    ),
    "void charge": Exchange(
        lambda ports: ports.gateway.void_charge(CHARGE.identity), CHARGE, STANDING
    ),
    "refund": Exchange(
        lambda ports: ports.gateway.refund(REFUND),
        REFUND,
        (
            NeighbourResponse(201, MADE),
            NeighbourResponse(202, MADE | {"state": "pending"}),
            NeighbourResponse(201, MADE | {"state": "failed"}),
            _refusal(422, "REFUND_TOO_LARGE", REFUND.key),
        ),
    ),
    "find refund": Exchange(
        lambda ports: ports.gateway.find_refund(REFUND),
        REFUND,
        (NeighbourResponse(200, MADE), _refusal(404, "REFUND_NOT_FOUND", REFUND.key)),
    ),
    "look at what is left": Exchange(
        lambda ports: ports.gateway.can_still_refund(REFUND), CHARGE, (*STANDING, NO_CHARGE)
    ),
    **{
        f"{name} at Stripe": Exchange(
            partial(_at_stripe, send), AtStripe(name), tuple(at_stripe.HONEST[name])
        )
        for name, send in at_stripe.SENDS.items()
    },
}


async def attempt(seed: int, count: int) -> Tally:
    """Read `count` changed responses. Each can be repeated by its seed and number."""
    tally = Tally()
    for number in range(count):
        dice = random.Random(f"{seed}:{number}")
        name, exchange = dice.choice(list(EXCHANGES.items()))
        correct = dice.choice(exchange.honest)
        answer: NeighbourResponse | httpx.TransportError = correct
        try:
            for _ in range(dice.randint(1, MAX_MUTATIONS)):
                answer = mutate(answer, dice) if isinstance(answer, NeighbourResponse) else answer
        except httpx.TransportError as lost:
            answer = lost
        outcome = await _outcome(exchange, answer)
        tally.outcomes[f"{name}: {_kind(outcome)}"] += 1
        found = list(_objections(outcome, answer, exchange.about))
        tally.wrong += [f"{seed}:{number} {name}: {each} {str(answer)[:400]}" for each in found]
    return tally


async def _outcome(exchange: Exchange, answer: NeighbourResponse | httpx.TransportError) -> object:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, NeighbourResponse):
            return answer.response()
        raise answer

    try:
        return await exchange.ask(_ports(handle))
    except Exception as error:  # noqa: BLE001 - whatever is raised is the outcome
        return error


def _ports(handle: Callable[[httpx.Request], httpx.Response]) -> Ports:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://neighbour")

    def neighbour(code: ErrorCode) -> JsonClient:
        return JsonClient(client, "The neighbour", code, 5)

    return Ports(
        HttpOrdering(neighbour(ErrorCode.ORDERING_UNAVAILABLE), accept_without_state=False),
        HttpInventory(neighbour(ErrorCode.INVENTORY_UNAVAILABLE)),
        HttpGateway(neighbour(ErrorCode.GATEWAY_UNAVAILABLE), accept_simulated=True),
        on_http(client, seconds=5),
    )


def _kind(outcome: object) -> str:
    if isinstance(outcome, PaymentError):
        return outcome.code
    if isinstance(outcome, Charge | GatewayRefund):
        return outcome.state
    return "read" if isinstance(outcome, BaseModel) else str(outcome)[:40]


def _objections(outcome: object, answer: object, about: Any) -> list[str]:
    if isinstance(outcome, Exception) and not isinstance(outcome, PaymentError):
        return [f"raises {type(outcome).__name__}: {outcome}"]
    found = [each for each in _texts(outcome) if each != readable(each, 2000)]
    if isinstance(answer, NeighbourResponse):
        found += objections(outcome, ResponseMembers(answer), about)
    elif not (isinstance(outcome, PaymentError) and outcome.code.endswith("_UNAVAILABLE")):
        found.append("concluded from nothing")
    return found


def _texts(outcome: object) -> list[str]:
    """Every text of the outcome that is recorded or shown, also those of a failed verification."""
    if isinstance(outcome, PaymentError):
        return [outcome.message]
    if not isinstance(outcome, BaseModel):
        return []
    outcome.model_dump_json()  # as Temporal keeps it
    texts = [value for _, value in outcome if isinstance(value, str) and len(value) <= 2000]
    try:
        if hasattr(outcome, "total"):
            verify_order(outcome, INSTRUCTION)  # type: ignore[arg-type]
        if hasattr(outcome, "expires_at"):
            verify_reservation(outcome, INSTRUCTION, NOON, timedelta(seconds=20))  # type: ignore[arg-type]
    except PaymentError as error:
        texts.append(error.message)
    return texts
