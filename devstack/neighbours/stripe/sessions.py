"""How requests and customers change a Checkout Session: Stripe's states.

https://docs.stripe.com/api/checkout/sessions. The functions have no side effects, as those of
`machine`.
"""

from dataclasses import replace
from typing import Any

from devstack.neighbours.stripe.cards import Card
from devstack.neighbours.stripe.checkout_records import Session
from devstack.neighbours.stripe.currencies import check_amount, check_currency
from devstack.neighbours.stripe.errors import StripeError, ValidationFailedError
from devstack.neighbours.stripe.machine import (
    Changes,
    ask,
    authorize,
    cancel,
    check_payable,
    new_id,
    random_letters,
)
from devstack.neighbours.stripe.params import IntentCancel, SessionCreate
from devstack.neighbours.stripe.records import Intent

MIN_SECONDS = 30 * 60
MAX_SECONDS = 24 * 60 * 60
"""The limits of the lifetime of a session. Without `expires_at`, it is MAX_SECONDS."""
_FRAGMENT = 96
"""The number of characters after the `#` in a session's address. Stripe has more of them. Chosen,
not measured."""


def create(params: SessionCreate, now: int, address: str) -> Changes:
    """A session of one purchase. Raises ValidationFailedError for a wrong time or amount."""
    prices = [each.price_data for each in params.line_items]
    [currency, *others] = {each.currency for each in prices}
    if others:
        raise ValidationFailedError("All line items must have the same currency.")
    check_currency(currency)
    amount = sum(each.quantity * each.price_data.unit_amount for each in params.line_items)
    check_amount(amount, currency)
    identifier = f"cs_test_a1{random_letters(56)}"
    of_intent = params.payment_intent_data
    return Changes(
        session=Session(
            id=identifier,
            url=f"{address}/c/pay/{identifier}#fid{random_letters(_FRAGMENT)}",
            created=now,
            expires_at=_expiry(params.expires_at, now),
            amount=amount,
            currency=currency,
            product=", ".join(each.product_data.name for each in prices),
            capture_method=of_intent.capture_method,
            intent_metadata=of_intent.metadata,
            intent_description=of_intent.description,
            **params.model_dump(
                include={"success_url", "cancel_url", "client_reference_id", "metadata"}
            ),
        )
    )


def pay(session: Session, intent: Intent | None, card: Card, now: int, address: str) -> Changes:
    """The customer pays with this card on the session's page.

    The first try makes the PaymentIntent. After a decline, another card can be tried.
    """
    check_open(session)
    intent = intent or _intent_of(session, now)
    check_payable(intent)
    intent = intent.model_copy(update={"payment_method": new_id("pm")})
    tried = session.model_copy(update={"payment_intent": intent.id, "tries": session.tries + 1})
    if card.asks:
        # The bank redirects to the session's page, which redirects to the shop.
        page = session.url.partition("#")[0]
        return Changes(ask(intent, card, page, address), session=tried)
    return replace(authorize(intent, card.decline, now), session=tried, error=None)


def expire(session: Session, intent: Intent | None, now: int) -> Changes:
    """Expire an open session. Its PaymentIntent, if there is one, is canceled."""
    check_open(session)
    expired = session.model_copy(update={"status": "expired"})
    if intent is None or intent.status == "canceled":
        return Changes(session=expired)
    return replace(cancel(intent, None, IntentCancel(), now, reason="expired"), session=expired)


def follow(session: Session, intent: Intent) -> Session:
    """The session after its PaymentIntent has changed.

    With manual capture it is complete, but unpaid, once the card is authorized.
    """
    update: dict[str, Any] = {}
    if session.status == "open" and intent.status in {"requires_capture", "succeeded"}:
        update["status"] = "complete"
    if intent.status == "succeeded":
        update["payment_status"] = "paid"
    return session.model_copy(update=update)


def check_open(session: Session) -> None:
    if session.status != "open":
        message = 'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
        raise StripeError(400, f"{message}Session has a status of `{session.status}`.")


def _intent_of(session: Session, now: int) -> Intent:
    identifier = new_id("pi")
    return Intent(
        id=identifier,
        client_secret=new_id(f"{identifier}_secret"),
        created=now,
        metadata=session.intent_metadata,
        description=session.intent_description,
        session=session.id,
        **session.model_dump(include={"amount", "currency", "capture_method"}),
    )


def _expiry(wanted: int | None, now: int) -> int:
    if wanted is None:
        return now + MAX_SECONDS
    if wanted < now + MIN_SECONDS:
        raise _wrong_expiry("at least 30 minutes")
    if wanted >= now + MAX_SECONDS:
        raise _wrong_expiry("less than 24 hours")
    return wanted


def _wrong_expiry(limit: str) -> StripeError:
    message = f"The `expires_at` timestamp must be {limit} from Checkout Session creation."
    return ValidationFailedError(message, param="expires_at")
