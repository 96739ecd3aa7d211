"""Stripe's events: their types for each change, and their bodies.

https://docs.stripe.com/api/events/types.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from devstack.neighbours.stripe.checkout_records import CHARGED_BACK, CLOSED, Dispute, Session
from devstack.neighbours.stripe.records import Charge, Intent, Refund
from domain import exact_json

VERSION = "2026-08-26.dahlia"
"""The version of Stripe's API that the double speaks, also in its events."""
_OF_STATUS = {
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "amount_capturable_updated",
    "succeeded": "succeeded",
    "canceled": "canceled",
}
_OF_SESSION = {"complete": "completed", "expired": "expired"}


class Event(NamedTuple):
    """An event that is sent to the endpoint. `body` is its JSON; `created` is when it happened."""

    id: str
    type: str
    object_id: str
    order_id: str
    created: datetime
    body: str


def types_of(before: Any, after: Any) -> Iterator[str]:
    """The types of the events about one record. `before` is None if the record is new."""
    match after:
        case Intent():
            yield from _of_intent(before, after)
        case Charge():
            yield from _of_charge(before, after)
        case Refund():
            yield from _of_refund(before, after)
        case Session():
            yield from _of_session(before, after)
        case Dispute():
            yield from _of_dispute(before, after)


def body_of(
    identifier: str, kind: str, shown: dict[str, Any], at: datetime, request: dict[str, Any]
) -> str:
    """The JSON of an event. `request` has the id of the API request that caused it, if any."""
    event = {
        "id": identifier,
        "object": "event",
        "api_version": VERSION,
        "created": int(at.timestamp()),
        "data": {"object": shown},
        "livemode": False,
        "pending_webhooks": 1,
        "request": request,
        "type": kind,
    }
    return exact_json.dumps(event).decode()


def _of_intent(before: Intent | None, after: Intent) -> Iterator[str]:
    if before is None:
        yield "payment_intent.created"
    error, old_error = after.last_payment_error, before and before.last_payment_error
    if error and error != old_error:
        yield "payment_intent.payment_failed"
    if after.status in _OF_STATUS and not (before and before.status == after.status):
        yield f"payment_intent.{_OF_STATUS[after.status]}"


def _of_charge(before: Charge | None, after: Charge) -> Iterator[str]:
    if before is None:
        yield f"charge.{after.status}"
    elif after.captured and not before.captured:
        yield "charge.captured"
    if before and after.amount_refunded > before.amount_refunded:
        yield "charge.refunded"


def _of_refund(before: Refund | None, after: Refund) -> Iterator[str]:
    if before is None:
        yield from ("refund.created", "refund.updated")  # it gets its reference at the bank
    elif before.status != after.status:
        yield from ("refund.updated", "charge.refund.updated")
    if after.status == "failed" and not (before and before.status == "failed"):
        yield "refund.failed"


def _of_session(before: Session | None, after: Session) -> Iterator[str]:
    if after.status in _OF_SESSION and not (before and before.status == after.status):
        yield f"checkout.session.{_OF_SESSION[after.status]}"


def _of_dispute(before: Dispute | None, after: Dispute) -> Iterator[str]:
    if before is None:
        yield "charge.dispute.created"
    elif before.status != after.status:
        yield "charge.dispute.updated"
    if after.status in CHARGED_BACK and not (before and before.status in CHARGED_BACK):
        yield "charge.dispute.funds_withdrawn"
    if after.status in CLOSED:
        yield "charge.dispute.closed"
    if after.status == "won" and before and before.status in CHARGED_BACK:
        yield "charge.dispute.funds_reinstated"
