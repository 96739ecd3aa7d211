"""Decides what may be concluded from a response, by code that is independent of the product."""

import json
import re
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from domain.errors import ErrorCode, PaymentError
from domain.gateway import (
    Charge,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
    RefundState,
)
from domain.verification import Order, Reservation
from tests.proofs.hostile import at_stripe
from tests.proofs.hostile.at_stripe import AtStripe
from tests.proofs.hostile.mutations import NeighbourResponse

REFUSED = {
    ErrorCode.PROCESSOR_ERROR: {(400, "INVALID_REQUEST"), (422, "KEY_REUSED")},
    ErrorCode.REFUND_REFUSED: {(409, "NOT_CAPTURED"), (422, "REFUND_TOO_LARGE")},
}


class ResponseMembers:
    """The members of a response's body. There are none if it is not a JSON object."""

    def __init__(self, response: NeighbourResponse) -> None:
        self.status = response.status
        self._members = _read_members(response.content)

    def text(self, name: str) -> str | None:
        value = self._members.get(name)
        if not isinstance(value, str):
            return None
        shown = "".join(
            each for each in value if unicodedata.category(each) != "Cc" or each in WHITE
        )
        return " ".join("".join(each for each in shown if each not in TURNING).split()) or None

    def number(self, name: str) -> Decimal | None:
        try:
            return Decimal(self.text(name) or "?")
        except InvalidOperation:
            return None

    def ids(self, *names: str) -> set[UUID | None]:
        return {_uuid(text) for name in names if (text := self.text(name))} - {UUID(int=0)}

    @property
    def body(self) -> Mapping[str, Any]:
        """All members as they were sent, but numbers are strings."""
        return self._members

    def is_about(self, request: ChargeRequest | RefundRequest) -> bool:
        amount = (self.number("amount"), (self.text("currency") or "").upper())
        exact = (request.amount.amount, request.amount.currency)
        return self.text("key") == request.key and amount == exact


WHITE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85"
TURNING = {*map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]), *"\u061c\u200e\u200f\ufeff"}


def _read_members(content: bytes) -> Mapping[str, Any]:
    try:
        if content[:2] == b"\x1f\x8b":
            content = zlib.decompressobj(31).decompress(content)
        body = json.loads(
            content.decode("utf-8-sig"), parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError, zlib.error):
        return {}
    return body if isinstance(body, dict) else {}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def objections(outcome: object, members: ResponseMembers, request: Any) -> Iterator[str]:
    """What is wrong with the product's conclusion `outcome` from the response to `request`."""
    if isinstance(request, AtStripe):
        yield from at_stripe.objections(outcome, members, request)
        return
    match outcome:
        case PaymentError():
            yield from _of_error(outcome, members, request)
        case Charge():
            yield from _of_charge(outcome, members, request)
        case GatewayRefund():
            yield from _of_refund(outcome.state, members, request)
        case Order():
            yield from _of_order(outcome, members)
        case Reservation():
            yield from _of_reservation(outcome, members, request)
        case None if members.status != 404 or members.text("key") != request.key:
            yield "not there, which it does not say of this key"


def _of_error(error: PaymentError, members: ResponseMembers, request: Any) -> Iterator[str]:
    if error.code in REFUSED:
        refusal = (members.status, members.text("code"))
        if members.text("key") != request.key or refusal not in REFUSED[error.code]:
            yield f"{error.code}, which it does not say of this key"
    elif error.code in {ErrorCode.ORDER_NOT_FOUND, ErrorCode.RESERVATION_NOT_ACTIVE}:
        if members.status != 404:
            yield f"{error.code} by HTTP {members.status}"
    elif not error.code.endswith("_UNAVAILABLE"):
        yield f"ends as {error.code}"


def _of_refund(
    state: RefundState, members: ResponseMembers, request: RefundRequest
) -> Iterator[str]:
    if not members.is_about(request) or members.text("chargeKey") != request.charge_key:
        yield "about another refund"
    if state is RefundState.PENDING:
        return
    if members.text("state") != state or members.status not in {200, 201}:
        yield f"{state}, by HTTP {members.status} {members.text('state')}"


def _of_charge(charge: Charge, members: ResponseMembers, request: ChargeRequest) -> Iterator[str]:
    if charge.state not in {ChargeState.CAPTURED, ChargeState.REFUNDED}:
        if members.text("key") != request.key or members.text("state") != charge.state:
            yield f"{charge.state}, which it does not say of this key"
        return
    if not members.is_about(request) or members.text("state") != charge.state:
        yield f"{charge.state}, which it does not say of this charge"
    if members.status not in {200, 201}:
        yield f"{charge.state} by HTTP {members.status}"
    kept = members.number("refundedAmount") in {None, Decimal(0)}
    if kept is (charge.state is ChargeState.REFUNDED):
        yield f"{charge.state}, and refunded {members.number('refundedAmount')}"


def _of_order(order: Order, members: ResponseMembers) -> Iterator[str]:
    ids = members.ids("id", "orderId")
    if members.status != 200 or (ids and order.id not in ids):
        yield "another order's"
    if order.total not in {members.number(name) for name in ("totalAmount", "total", "price")}:
        yield f"costs {order.total}"
    if order.state and order.state not in {_lower(members, "state"), _lower(members, "status")}:
        yield f"in state {order.state}"
    owners = members.ids("userId", "customerId", "customerEmail")
    if order.customer_id and _uuid(order.customer_id) not in {*owners, None}:
        yield f"owned by {order.customer_id}"


def _of_reservation(held: Reservation, members: ResponseMembers, order_id: UUID) -> Iterator[str]:
    if members.status != 200 or members.ids("id", "reservationId") - {held.id}:
        yield "another reservation's"
    if held.status != _lower(members, "status"):
        yield f"is {held.status}"
    if held.may_be_released(order_id) and members.ids("orderId") != {order_id}:
        yield "would be released, and may be another's"


def _lower(members: ResponseMembers, name: str) -> str | None:
    """A state as the product keeps it, which people may see."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", members.text(name) or "")
    return text[:255].lower() or None
