"""How requests change a PaymentIntent and its charges: Stripe's states.

https://docs.stripe.com/payments/paymentintents/lifecycle. The functions have no side effects: they
return the changed records, or raise StripeError. A decline is returned with the changed records.
"""

from dataclasses import dataclass, field, replace
from secrets import choice
from string import ascii_letters, digits
from typing import Any

from devstack.neighbours.stripe.cards import NOT_AUTHENTICATED, Card, Decline
from devstack.neighbours.stripe.checkout_records import Dispute, Session
from devstack.neighbours.stripe.currencies import check_amount, check_currency
from devstack.neighbours.stripe.errors import StripeError
from devstack.neighbours.stripe.params import (
    IntentCancel,
    IntentCapture,
    IntentConfirm,
    IntentCreate,
)
from devstack.neighbours.stripe.records import Charge, Intent, Refund

_CONFIRMABLE = frozenset({"requires_payment_method", "requires_action"})
_LETTERS = ascii_letters + digits
_ENDED = frozenset({"succeeded", "canceled"})


@dataclass(frozen=True)
class Changes:
    """The records that a request changes. `error` is its response, after the records are stored."""

    intent: Intent | None = None
    charge: Charge | None = None
    refund: Refund | None = None
    session: Session | None = None
    dispute: Dispute | None = None
    error: StripeError | None = None
    used: frozenset[str] = field(default=frozenset())
    """PaymentMethods and ConfirmationTokens that cannot be used again."""


def create(params: IntentCreate, now: int) -> Changes:
    check_currency(params.currency)
    check_amount(params.amount, params.currency)
    identifier = new_id("pi")
    return Changes(
        Intent(
            id=identifier,
            client_secret=new_id(f"{identifier}_secret"),
            created=now,
            **params.model_dump(include={"amount", "currency", "capture_method", "metadata"}),
            description=params.description,
        )
    )


def check_confirmable(intent: Intent) -> None:
    if intent.session:
        raise _belongs_to_checkout(intent)
    check_payable(intent)


def check_payable(intent: Intent) -> None:
    if intent.status not in _CONFIRMABLE:
        raise unexpected_state(intent, "confirm", "requires_confirmation, requires_action")


def confirm(intent: Intent, params: IntentConfirm, card: Card, now: int, address: str) -> Changes:
    """Charge the card. If its bank asks, the status is `requires_action`.

    If the request makes that an error, the card is declined instead. `address` is the URL of the
    double, which has the bank's page.
    """
    if card.asks and params.error_on_requires_action:
        return _declined(intent, NOT_AUTHENTICATED, charge=None)
    if card.asks:
        return_url = None if params.leaves_it_to_the_browser else params.return_url
        return Changes(ask(intent, card, return_url, address))
    return authorize(intent, card.decline, now)


def authorize(intent: Intent, decline: Decline | None, now: int) -> Changes:
    """The card's bank authorizes the charge, or declines it if `decline` is given."""
    charge = Charge(
        id=new_id("ch"),
        created=now,
        payment_intent=intent.id,
        payment_method=intent.payment_method or new_id("pm"),
        status="failed" if decline else "succeeded",
        **intent.model_dump(include={"amount", "currency", "metadata"}),
    )
    if decline:
        return _declined(intent, decline, charge)
    update: dict[str, Any] = {
        "last_payment_error": None,
        "next_action": None,
        "latest_charge": charge.id,
        "after_action": None,
    }
    if intent.capture_method == "automatic":
        return _captured(intent.model_copy(update=update), charge)
    update |= {"status": "requires_capture", "amount_capturable": intent.amount}
    return Changes(intent.model_copy(update=update), charge)


def ask(intent: Intent, card: Card, return_url: str | None, address: str) -> Intent:
    """The card's bank wants to authenticate the customer, on its page at `address`."""
    action: dict[str, Any] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    secret = new_id("src_client_secret")
    if return_url:
        url = f"{address}/redirect/authenticate/{intent.id}?client_secret={secret}"
        action = {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url, "url": url},
        }
    update = {
        "status": "requires_action",
        "next_action": action,
        "last_payment_error": None,
        "return_url": return_url,
        "action_secret": secret,
        "after_action": card.decline._asdict() if card.decline else None,
    }
    return intent.model_copy(update=update)


def authenticate(intent: Intent, now: int, decline: Decline | None = None) -> Changes:
    """The customer has confirmed. The bank declines if `decline` is given or the card says so."""
    check_waits(intent)
    by_card = Decline(**intent.after_action) if intent.after_action else None
    return replace(authorize(intent, decline or by_card, now), error=None)


def fail_authentication(intent: Intent) -> Changes:
    """The customer has not confirmed, so the card is not charged. Another card can be used."""
    check_waits(intent)
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "message": "The provided PaymentMethod has failed authentication. You can provide "
        "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent "
        "again.",
        "payment_method": shown_method(intent.payment_method, intent.created),
    }
    return Changes(_back_to_the_start(intent, error))


def check_waits(intent: Intent) -> None:
    """Raise StripeError unless the PaymentIntent waits for its customer."""
    if intent.status != "requires_action":
        raise unexpected_state(intent, "authenticate", "requires_action")


def capture(intent: Intent, charge: Charge | None, params: IntentCapture) -> Changes:
    if intent.status != "requires_capture" or charge is None:
        raise unexpected_state(intent, "capture", "requires_capture")
    if params.amount_to_capture not in {None, intent.amount_capturable}:
        message = f"The double captures the whole amount only: {intent.amount_capturable}"
        raise StripeError(400, message, param="amount_to_capture")
    return _captured(intent, charge)


def cancel(
    intent: Intent, charge: Charge | None, params: IntentCancel, now: int, reason: str | None = None
) -> Changes:
    """Cancel the PaymentIntent. `reason` is given if Stripe cancels, and not a request."""
    if intent.session and not reason and intent.status not in {*_ENDED, "requires_capture"}:
        raise _belongs_to_checkout(intent)
    if intent.status in {*_ENDED, "processing"}:
        allowed = "requires_payment_method, requires_capture, requires_confirmation, "
        raise unexpected_state(intent, "cancel", f"{allowed}requires_action, processing")
    ended = intent.model_copy(
        update={
            "status": "canceled",
            "canceled_at": now,
            "cancellation_reason": reason or params.cancellation_reason,
            "amount_capturable": 0,
            "next_action": None,
        }
    )
    if intent.status != "requires_capture" or charge is None:
        return Changes(ended)
    return Changes(
        ended, charge.model_copy(update={"amount_refunded": charge.amount}), _release(charge, now)
    )


def unexpected_state(intent: Intent, verb: str, allowed: str) -> StripeError:
    message = (
        f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}. "
        f"Only a PaymentIntent with one of the following statuses may be used: {allowed}."
    )
    return StripeError(
        400, message, code="payment_intent_unexpected_state", payment_intent=intent.shown()
    )


def shown_method(identifier: str | None, created: int) -> dict[str, Any]:
    """A PaymentMethod as Stripe shows it."""
    return {
        "id": identifier,
        "object": "payment_method",
        "type": "card",
        "created": created,
        "livemode": False,
        "billing_details": {},
    }


def new_id(prefix: str) -> str:
    """A new random id in the form of Stripe's ids."""
    return f"{prefix}_{random_letters(24)}"


def random_letters(count: int) -> str:
    """A random text of `count` letters and digits, the characters of Stripe's ids."""
    return "".join(choice(_LETTERS) for _ in range(count))


def _declined(intent: Intent, decline: Decline, charge: Charge | None) -> Changes:
    """The card is declined. The PaymentIntent can be paid with another card."""
    details = {
        "code": decline.code,
        "decline_code": decline.decline_code,
        "payment_method": shown_method(intent.payment_method, intent.created),
        **({"charge": charge.id} if charge else {}),
    }
    declined = _back_to_the_start(
        intent, {"type": "card_error", "message": decline.message, **details}
    )
    if charge:
        failure = {"failure_code": decline.code, "failure_message": decline.message}
        charge = charge.model_copy(update=failure)
        declined = declined.model_copy(update={"latest_charge": charge.id})
    shown = {"payment_intent": declined.shown()}
    error = StripeError(402, decline.message, "card_error", **details, **shown)
    return Changes(declined, charge, error=error)


def _back_to_the_start(intent: Intent, error: dict[str, Any]) -> Intent:
    update = {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "after_action": None,
        "last_payment_error": error,
    }
    return intent.model_copy(update=update)


def _belongs_to_checkout(intent: Intent) -> StripeError:
    message = "You cannot perform this action on PaymentIntents created by Checkout."
    return StripeError(
        400, message, code="payment_intent_unexpected_state", payment_intent=intent.shown()
    )


def _captured(intent: Intent, charge: Charge) -> Changes:
    update = {"status": "succeeded", "amount_capturable": 0, "amount_received": intent.amount}
    captured = {"captured": True, "amount_captured": intent.amount}
    return Changes(intent.model_copy(update=update), charge.model_copy(update=captured))


def _release(charge: Charge, now: int) -> Refund:
    """The refund as which Stripe shows a released authorization, although no money has moved."""
    return Refund(
        id=new_id("re"),
        created=now,
        charge=charge.id,
        status="succeeded",
        metadata={},
        **charge.model_dump(include={"amount", "currency", "payment_intent"}),
    )
