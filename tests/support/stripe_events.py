"""Events as Stripe sends them, and their signatures."""

import hmac
import json
from typing import Any
from uuid import UUID

from domain import names
from domain.payment import Payment

SECRET = "whsec_0123456789abcdef"
NOW = 1_795_000_000
"""The time that the clock of the receiver shows."""
OBJECTS = {"checkout.session": "cs_test_1", "refund": "re_1", "dispute": "du_1"}


def signature(body: bytes, secret: str = SECRET, at: int | str = NOW) -> str:
    signed = str(at).encode() + b"." + body
    return f"t={at},v1={hmac.digest(secret.encode(), signed, 'sha256').hex()}"


def metadata_of(payment: Payment) -> dict[str, str]:
    """The metadata that we write into a PaymentIntent and a Checkout Session."""
    return {
        "payment_id": str(payment.id),
        "order_id": str(payment.order_id),
        "key": names.charge_key(payment.id),
    }


def refund_metadata(payment: Payment, refund_id: UUID | None = None) -> dict[str, str]:
    """The metadata that we write into a refund. Without `refund_id`, it is a compensation."""
    made = names.requested_refund_key(payment.id, refund_id) if refund_id else None
    return {"key": made or names.refund_key(payment.id), "charge_key": names.charge_key(payment.id)}


def an_object(kind: str, metadata: dict[str, str], **members: Any) -> dict[str, Any]:
    """The object of an event. It also has members that the API must ignore, such as a secret."""
    attempt = {} if kind == "payment_intent" else {"payment_intent": "pi_1"}
    secret = {"client_secret": "pi_1_secret_canary", "status": "succeeded", "amount": 1}
    own = {"id": OBJECTS.get(kind, "pi_1"), "object": kind, "metadata": metadata}
    return own | attempt | secret | members


def an_event(kind: str, about: Any, **members: Any) -> bytes:
    """The body of an event: pretty-printed, as Stripe sends it."""
    event = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-08-26.dahlia",
        "created": NOW,
        "data": {"object": about, "previous_attributes": {"status": "processing"}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_1", "idempotency_key": None},
        "type": kind,
    }
    return json.dumps(event | members, indent=2).encode()
