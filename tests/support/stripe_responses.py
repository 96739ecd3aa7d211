"""Responses of Stripe to the requests of one payment, and the methods that get them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx

from domain import names
from tests.support.json_neighbour import FixedResponse, Handler
from tests.support.stripe_gateway import a_charge, refund_of

PAYMENT = UUID(int=1)
PI = "pi_1"
SECRET = "pi_1_secret_hunter2"
CHARGE = a_charge(
    payment_id=PAYMENT, key=names.charge_key(PAYMENT), reference=PI, token="pm_hunter2"
)
REFUND = refund_of(CHARGE)


def intent(**members: Any) -> dict[str, Any]:
    """The PaymentIntent of CHARGE, authorized."""
    return {
        "id": PI,
        "object": "payment_intent",
        "created": 1_795_780_800,
        "status": "requires_capture",
        "amount": 15_000,
        "amount_capturable": 15_000,
        "amount_received": 0,
        "currency": "usd",
        "capture_method": "manual",
        "livemode": False,
        "client_secret": SECRET,
        "metadata": {"key": CHARGE.key, "payment_id": str(PAYMENT)},
        "latest_charge": charge(),
        "last_payment_error": None,
        **members,
    }


def charge(**members: Any) -> dict[str, Any]:
    return {"id": "ch_1", "amount_captured": 0, "amount_refunded": 0, "disputed": False, **members}


OPEN = intent(status="requires_payment_method", amount_capturable=0, latest_charge=None)
CAPTURED = intent(
    status="succeeded",
    amount_capturable=0,
    amount_received=15_000,
    latest_charge=charge(amount_captured=15_000),
)
CANCELED = intent(status="canceled", amount_capturable=0)
MADE_REFUND = {
    "id": "re_1",
    "object": "refund",
    "created": 1_795_780_801,
    "status": "succeeded",
    "amount": 5_000,
    "currency": "usd",
    "payment_intent": PI,
    "metadata": {"key": REFUND.key},
}
REFUNDS = {"object": "list", "has_more": False, "data": [MADE_REFUND]}


def error(status: int = 400, kind: str = "invalid_request_error", **members: Any) -> FixedResponse:
    return FixedResponse({"error": {"type": kind, "message": SECRET, **members}}, status)


def declined(**members: Any) -> FixedResponse:
    shown = {"id": PI, "status": "requires_payment_method"}
    found = {"code": "card_declined", "decline_code": "generic_decline", "payment_intent": shown}
    return error(402, "card_error", **{**found, **members})


Send = Callable[..., Awaitable[Any]]
SENDS: dict[str, tuple[Send, Any]] = {
    "open": (lambda gateway: gateway.open(CHARGE), OPEN),
    "charge": (lambda gateway: gateway.charge(CHARGE), intent()),
    "capture": (lambda gateway: gateway.capture(CHARGE), CAPTURED),
    "find": (lambda gateway: gateway.find_charge(CHARGE.identity), CAPTURED),
    "void": (lambda gateway: gateway.void_charge(CHARGE.identity), CANCELED),
    "refund": (lambda gateway: gateway.refund(REFUND), MADE_REFUND),
    "find refund": (lambda gateway: gateway.find_refund(REFUND), REFUNDS),
    "can refund": (lambda gateway: gateway.can_still_refund(REFUND), CAPTURED),
}
"""Each method of the port, and a response with which it succeeds."""
ACTIONS = {"charge": "confirm", "capture": "capture", "void": "cancel"}


def after(refusal: Handler, found: Any) -> Handler:
    """A handler that refuses the POST, and responds to a lookup with `found`."""

    def handler(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = (
            refusal(request) if request.method == "POST" else FixedResponse(found)(request)
        )
        return response

    return handler
