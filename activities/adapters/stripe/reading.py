"""Reads Stripe's objects, and checks that they belong to the payment or the refund."""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from activities.adapters.stripe.client import Refusal, StripeClient
from activities.adapters.stripe.objects import Intent, MadeRefund, Session
from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.gateway import ChargeIdentity, RefundRequest
from domain.gateways import TERMS, GatewayName
from domain.money import Money
from domain.payment import Payment

INTENTS = "/v1/payment_intents"
SESSIONS = "/v1/checkout/sessions"
EXPANDED = {"expand[]": "latest_charge"}
"""Asks for the charge in the response: it says how much was captured and refunded."""
EXPANDED_SESSION = {"expand[]": "payment_intent.latest_charge"}
AMOUNTS = TERMS[GatewayName.STRIPE].amounts
ModelT = TypeVar("ModelT", bound=BaseModel)


def is_session(reference: str) -> bool:
    """Whether this is the id of a Checkout Session. Other references are ids of PaymentIntents."""
    return reference.startswith("cs_")


def identity_of(payment: Payment) -> ChargeIdentity:
    """The charge of a payment that is made at Stripe."""
    return ChargeIdentity(
        key=names.charge_key(payment.id), amount=payment.amount, reference=payment.gateway_reference
    )


class StripeReader:
    """Every method raises PaymentError(GATEWAY_UNAVAILABLE) if a response has something else."""

    def __init__(self, client: StripeClient, *, livemode: bool) -> None:
        self._client = client
        self.livemode = livemode
        """Whether the API key moves real money."""

    async def find_intent(self, charge: ChargeIdentity) -> Intent:
        """Look up the charge's PaymentIntent."""
        path = f"{INTENTS}/{self.reference(charge.reference)}"
        return self.intent(await self._client.get(path, **EXPANDED), charge)

    async def find_session(self, charge: ChargeIdentity) -> Session:
        """Look up the charge's Checkout Session, with its PaymentIntent."""
        path = f"{SESSIONS}/{self.reference(charge.reference)}"
        return self.session(await self._client.get(path, **EXPANDED_SESSION), charge)

    def intent(self, body: object, charge: ChargeIdentity) -> Intent:
        """The charge's PaymentIntent. Its id is not compared if the charge has no reference yet."""
        intent = self.read(body, Intent)
        self._check(intent, charge)
        return intent

    def session(self, body: object, charge: ChargeIdentity) -> Session:
        """The charge's Checkout Session. It and its PaymentIntent are checked as in `intent`."""
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
        """Return the refund, if its key, payment and amount are those of the request."""
        is_ours = refund.payment_intent == request.reference
        if not is_ours or refund.metadata.get("key") != request.key:
            raise self._client.unavailable("the response is about another refund")
        if any(_differences(refund, request.amount)):
            raise self._client.unavailable("the response is about another amount")
        return refund

    def read(self, body: object, model: type[ModelT]) -> ModelT:
        """Validate the body. The error quotes nothing of it: it may have the `client_secret`."""
        try:
            return model.model_validate(body)
        except ValidationError:
            raise self._client.unavailable("the response cannot be read") from None

    def reference(self, reference: str | None) -> str:
        """Return the reference of a charge, which must have one."""
        if reference is None:
            raise self._client.unavailable("the payment has no reference")
        return reference


def _differences(found: Intent | Session | MadeRefund, amount: Money) -> Iterator[bool]:
    yield found.currency != amount.currency
    yield found.amount != units_or_none(amount)


def units_or_none(amount: Money) -> int | None:
    """The amount in Stripe's minor unit; None if Stripe does not take this amount."""
    try:
        return AMOUNTS.minor_units(amount)
    except ValueError:
        return None


def refused(
    what: str, refusal: Refusal, code: ErrorCode = ErrorCode.PROCESSOR_ERROR
) -> PaymentError:
    """The error to raise for a refused request, which has had no effect."""
    return PaymentError(code, f"Stripe refuses {what} ({refusal.name}).")
