"""Correct responses of Stripe, and what may be concluded from changed ones.

The rules are written without the code of the adapter.
"""

from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from activities.adapters.stripe.gateway import StripeGateway
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState, GatewayRefund, RefundState
from tests.proofs.hostile.mutations import NeighbourResponse
from tests.support.stripe_responses import (
    CANCELED,
    CAPTURED,
    CHARGE,
    MADE_REFUND,
    OPEN,
    PI,
    REFUND,
    REFUNDS,
    intent,
)

if TYPE_CHECKING:
    from tests.proofs.hostile.oracle import ResponseMembers

SENDS: dict[str, Callable[[StripeGateway], Awaitable[object]]] = {
    "open": lambda gateway: gateway.open(CHARGE),
    "charge": lambda gateway: gateway.charge(CHARGE),
    "capture": lambda gateway: gateway.capture(CHARGE),
    "find": lambda gateway: gateway.find_charge(CHARGE.identity),
    "void": lambda gateway: gateway.void_charge(CHARGE.identity),
    "refund": lambda gateway: gateway.refund(REFUND),
    "find refund": lambda gateway: gateway.find_refund(REFUND),
    "what is left": lambda gateway: gateway.can_still_refund(REFUND),
}
DECLINED = OPEN | {"last_payment_error": {"code": "card_declined", "type": "card_error"}}


def _error(status: int, kind: str, **members: Any) -> NeighbourResponse:
    return NeighbourResponse(status, {"error": {"type": kind, "message": "in words", **members}})


DECLINE = _error(402, "card_error", payment_intent=DECLINED, decline_code="insufficient_funds")
REFUSAL = _error(400, "invalid_request_error", code="a_code")
STANDING = [NeighbourResponse(200, each) for each in (OPEN, DECLINED, intent(), CAPTURED, CANCELED)]
HONEST: dict[str, list[NeighbourResponse]] = {
    "open": [NeighbourResponse(200, OPEN), REFUSAL],
    "charge": [NeighbourResponse(200, intent()), DECLINE, REFUSAL],
    "capture": [NeighbourResponse(200, CAPTURED), REFUSAL],
    "find": STANDING,
    "void": [NeighbourResponse(200, CANCELED), REFUSAL],
    "refund": [
        *(
            NeighbourResponse(200, MADE_REFUND | {"status": status})
            for status in ("succeeded", "pending", "failed")
        ),
        REFUSAL,
    ],
    "find refund": [
        NeighbourResponse(200, REFUNDS),
        NeighbourResponse(200, REFUNDS | {"data": []}),
    ],
    "what is left": STANDING,
}


class AtStripe(NamedTuple):
    """A request to Stripe, by its name in `SENDS`."""

    name: str


STATUSES = {
    ChargeState.OPEN: "requires_payment_method",
    ChargeState.AUTHORIZED: "requires_capture",
    ChargeState.CAPTURED: "succeeded",
    ChargeState.DECLINED: "requires_payment_method",
    ChargeState.VOIDED: "canceled",
}
WHOLE = 15_000
REFUNDED = 5_000


def objections(outcome: object, members: "ResponseMembers", request: AtStripe) -> Iterator[str]:
    """What is wrong with the conclusion `outcome` from the response to this request."""
    match outcome:
        case PaymentError():
            yield from _of_error(outcome, members, request)
        case Charge() if members.status == 402:
            yield from _of_decline(outcome, members)
        case Charge():
            yield from _of_charge(outcome, members, request)
        case GatewayRefund():
            yield from _of_refund(outcome, members, request)
        case None if request.name != "find refund" or members.body.get("data") != []:
            yield "not there, which it does not say"
        case True if members.text("status") != "succeeded" or _left(members) < REFUNDED:
            yield "can be refunded, which it does not say"


def _of_error(error: PaymentError, members: "ResponseMembers", request: AtStripe) -> Iterator[str]:
    if error.code is ErrorCode.GATEWAY_UNAVAILABLE:
        return
    expected = ErrorCode.REFUND_REFUSED if request.name == "refund" else ErrorCode.PROCESSOR_ERROR
    if error.code is not expected or request.name not in {"open", "refund"}:
        yield f"ends as {error.code}"
    if members.status != 400 or _member(members.body, "error", "type") != "invalid_request_error":
        yield f"{error.code} by HTTP {members.status}"


def _of_decline(charge: Charge, members: "ResponseMembers") -> Iterator[str]:
    about = _member(members.body, "error", "payment_intent", "id")
    status = _member(members.body, "error", "payment_intent", "status")
    if (charge.state, about, status) != (ChargeState.DECLINED, PI, "requires_payment_method"):
        yield f"{charge.state}, which it does not say of this charge"


def _of_charge(charge: Charge, members: "ResponseMembers", request: AtStripe) -> Iterator[str]:
    about = PI if request.name != "open" else charge.reference
    if members.status != 200 or not _is_ours(members) or members.text("id") != about:
        yield f"{charge.state}, which it does not say of this charge"
    if members.text("status") != STATUSES.get(charge.state):
        yield f"{charge.state}, as it is {members.text('status')}"
    is_declined = isinstance(members.body.get("last_payment_error"), dict)
    wrong = ChargeState.OPEN if is_declined else ChargeState.DECLINED
    if charge.state is wrong:
        yield f"{charge.state}, and declined before: {wrong is ChargeState.OPEN}"
    if charge.state is ChargeState.AUTHORIZED and members.number("amount_capturable") != WHOLE:
        yield "authorized for another amount"
    if charge.state is ChargeState.CAPTURED:
        captured = _number(_member(members.body, "latest_charge", "amount_captured"))
        refunded = _number(_member(members.body, "latest_charge", "amount_refunded"))
        if not (members.number("amount_received") == captured == WHOLE and refunded == 0):
            yield "captured another amount"


def _is_ours(members: "ResponseMembers") -> bool:
    """Whether the object is this payment's, has its amount and currency, and is of test mode."""
    return (
        members.number("amount") == WHOLE
        and (members.text("currency") or "").upper() == "USD"
        and members.body.get("livemode") is False
        and _member(members.body, "metadata", "key") == CHARGE.key
    )


def _left(members: "ResponseMembers") -> Decimal:
    """The amount of the charge that can be refunded; -1 if the response does not say it."""
    captured = _number(_member(members.body, "latest_charge", "amount_captured"))
    refunded = _number(_member(members.body, "latest_charge", "amount_refunded"))
    is_disputed = _member(members.body, "latest_charge", "disputed") is not False
    if captured is None or refunded is None or is_disputed or members.text("id") != PI:
        return Decimal(-1)
    return captured - refunded


def _of_refund(
    refund: GatewayRefund, members: "ResponseMembers", request: AtStripe
) -> Iterator[str]:
    found: Any = members.body
    if request.name == "find refund":
        data = members.body.get("data")
        found = data[0] if isinstance(data, list) and data else {}
    ours = (_member(found, "payment_intent"), _member(found, "metadata", "key"))
    if members.status != 200 or (_text(ours[0]), ours[1]) != (PI, REFUND.key):
        yield "about another refund"
    if _number(_member(found, "amount")) != REFUNDED:
        yield "about another amount"
    expected = {"requires_action": RefundState.PENDING, "canceled": RefundState.FAILED}
    status = _text(_member(found, "status"))
    if refund.state != expected.get(status, status):
        yield f"{refund.state}, and it is {status}"


def _member(body: Any, *path: str) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None


def _text(value: Any) -> str:
    """The value as a text, without invisible characters, as `ResponseMembers.text` reads it."""
    shown = "".join(each for each in str(value) if each.isprintable() or each.isspace())
    return " ".join(shown.split())
