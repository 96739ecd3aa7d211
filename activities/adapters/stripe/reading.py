"""Reads Stripe's objects, and compares them with the payment or the refund that they should be."""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from activities.adapters.stripe.client import Refusal, StripeClient
from activities.adapters.stripe.objects import Intent, MadeRefund, Session
from domain.errors import ErrorCode, PaymentError
from domain.gateway import ChargeIdentity, RefundRequest
from domain.gateways import TERMS, GatewayName
from domain.money import Money

INTENTS = "/v1/payment_intents"
SESSIONS = "/v1/checkout/sessions"
EXPANDED = {"expand[]": "latest_charge"}
"""So that the response says how much was captured and refunded."""
EXPANDED_SESSION = {"expand[]": "payment_intent.latest_charge"}
AMOUNTS = TERMS[GatewayName.STRIPE].amounts
ModelT = TypeVar("ModelT", bound=BaseModel)


def is_session(reference: str) -> bool:
    """Whether the reference is that of a Checkout Session. Others are of PaymentIntents."""
    return reference.startswith("cs_")


class StripeReader:
    """Every method raises PaymentError(GATEWAY_UNAVAILABLE) if something else was answered."""

    def __init__(self, client: StripeClient, *, livemode: bool) -> None:
        self._client = client
        self.livemode = livemode
        """Whether the API key moves real money."""

    def intent(self, body: object, charge: ChargeIdentity) -> Intent:
        """The charge's PaymentIntent. Its id is not compared if the charge has no reference yet."""
        intent = self.read(body, Intent)
        self._check(intent, charge)
        return intent

    def session(self, body: object, charge: ChargeIdentity) -> Session:
        """The charge's Checkout Session, with its PaymentIntent. As `intent`."""
        session = self.read(body, Session)
        self._check(session, charge)
        if session.payment_intent is not None:
            self._check(session.payment_intent, charge.model_copy(update={"reference": None}))
        return session

    def _check(self, found: Intent | Session, charge: ChargeIdentity) -> None:
        if found.livemode is not self.livemode:
            raise self._client.unavailable("test mode and live mode are mixed up")
        is_ours = charge.reference in {None, found.id}
        if not is_ours or found.metadata.get("key") != charge.key:
            raise self._client.unavailable("the response is about another charge")
        if charge.amount and any(_differences(found, charge.amount)):
            raise self._client.unavailable("the response is about another amount")

    def refund(self, refund: MadeRefund, request: RefundRequest) -> MadeRefund:
        """The same refund, after it was compared with what we wanted to refund."""
        is_ours = refund.payment_intent == request.reference
        if not is_ours or refund.metadata.get("key") != request.key:
            raise self._client.unavailable("the response is about another refund")
        if any(_differences(refund, request.amount)):
            raise self._client.unavailable("the response is about another amount")
        return refund

    def read(self, body: object, model: type[ModelT]) -> ModelT:
        """Nothing of the body is quoted: it holds the PaymentIntent's secret."""
        try:
            return model.model_validate(body)
        except ValidationError:
            raise self._client.unavailable("the response cannot be read") from None

    def reference(self, reference: str | None) -> str:
        """The reference of a charge that was opened."""
        if reference is None:
            raise self._client.unavailable("the payment has no reference")
        return reference


def _differences(found: Intent | Session | MadeRefund, amount: Money) -> Iterator[bool]:
    yield found.currency != amount.currency
    yield found.amount != units_or_none(amount)


def units_or_none(amount: Money) -> int | None:
    """The amount in Stripe's minor unit; None if Stripe can have no such amount."""
    try:
        return AMOUNTS.minor_units(amount)
    except ValueError:
        return None


def refused(
    what: str, refusal: Refusal, code: ErrorCode = ErrorCode.PROCESSOR_ERROR
) -> PaymentError:
    """The error of a request that has no effect. Stripe's message may quote what was sent."""
    return PaymentError(code, f"Stripe refuses {what} ({refusal.code or refusal.type}).")
