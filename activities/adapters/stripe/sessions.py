"""Payments on Stripe's own page: Checkout Sessions, whose PaymentIntents the saga captures.

https://docs.stripe.com/api/checkout/sessions. The reference is the session's id. The customer may
try several cards while the session is open. Its PaymentIntent is made when the customer first pays.
"""

from activities.adapters.stripe.client import StripeClient
from activities.adapters.stripe.intents import StripeIntents
from activities.adapters.stripe.objects import Intent
from activities.adapters.stripe.opening import metadata, open_at, units
from activities.adapters.stripe.reading import EXPANDED_SESSION, SESSIONS, StripeReader
from domain import names
from domain.gateway import (
    Charge,
    ChargeIdentity,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
)

UNPAID = frozenset({ChargeState.OPEN, ChargeState.DECLINED, ChargeState.VOIDED})
"""The states of the PaymentIntent of an expired session in which no money has moved. No money can
move later either: the customer can only pay on the page of the session, and that page is closed."""


class StripeSessions:
    """Implements `ChargingGateway`. `intents` sends the requests about the PaymentIntent."""

    def __init__(self, client: StripeClient, reader: StripeReader, intents: StripeIntents) -> None:
        self._client = client
        self._reader = reader
        self._intents = intents

    async def open(self, request: ChargeRequest) -> Charge:
        """Open the page. No money moves before the customer has paid there and we capture."""
        assert request.customer_action is not None
        assert request.page_until is not None
        return_url = request.customer_action.return_url
        item = "line_items[0]"
        form = {
            "mode": "payment",
            "payment_method_types[]": "card",
            f"{item}[quantity]": "1",
            f"{item}[price_data][currency]": request.amount.currency.lower(),
            f"{item}[price_data][unit_amount]": str(units(request.amount)),
            f"{item}[price_data][product_data][name]": f"Order {request.order_id}",
            "success_url": return_url,
            "cancel_url": return_url,
            "expires_at": str(int(request.page_until.timestamp())),
            "payment_intent_data[capture_method]": "manual",
            **metadata("payment_intent_data[metadata]", request),
            **metadata("metadata", request),
            **EXPANDED_SESSION,
        }
        body = await open_at(self._client, SESSIONS, form, names.open_key(request.payment_id))
        identity = request.identity.model_copy(update={"reference": None})
        session = self._reader.session(body, identity)
        return Charge(key=request.key, state=ChargeState.OPEN, reference=session.id)

    async def charge(self, request: ChargeRequest) -> Charge:
        """Look up the charge: the customer pays on the page."""
        return await self.find_charge(request.identity)

    async def capture(self, request: ChargeRequest) -> Charge:
        reference = await self._intent_of(request.identity)
        captured = await self._intents.capture(request.model_copy(update={"reference": reference}))
        return captured.model_copy(update={"reference": request.reference})

    async def find_charge(self, charge: ChargeIdentity) -> Charge:
        session = await self._reader.find_session(charge)
        if session.status == "open":
            return _charge(charge, ChargeState.WAITING)
        paid = await self._paid(session.payment_intent, charge)
        if session.status == "complete" and paid is not None:
            return paid
        if session.status != "expired":
            raise self._client.unavailable(f"the page is {session.status}, and nothing is paid")
        if paid is None or paid.state in UNPAID:
            voided = paid or _charge(charge, ChargeState.VOIDED)
            return voided.model_copy(update={"state": ChargeState.VOIDED})
        return paid

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        """Close the page. An authorization is voided; a capture is kept, and returned."""
        reference = self._reader.reference(charge.reference)
        await self._client.post(f"{SESSIONS}/{reference}/expire", EXPANDED_SESSION, None)
        found = await self.find_charge(charge)  # also after a refusal: it may have ended before
        if found.state is ChargeState.WAITING:
            raise self._client.unavailable("the page is still open")
        if found.state is ChargeState.AUTHORIZED:
            identity = charge.model_copy(update={"reference": found.transaction_id})
            voided = await self._intents.void_charge(identity)
            return voided.model_copy(update={"reference": charge.reference})
        return found

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        return await self._intents.refund(await self._of_intent(request))

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        return await self._intents.find_refund(await self._of_intent(request))

    async def can_still_refund(self, request: RefundRequest) -> bool:
        return await self._intents.can_still_refund(await self._of_intent(request))

    async def _of_intent(self, request: RefundRequest) -> RefundRequest:
        """The same refund request. Its reference is the id of the session's PaymentIntent."""
        charge = request.whole_charge.model_copy(update={"amount": None})
        return request.model_copy(update={"reference": await self._intent_of(charge)})

    async def _intent_of(self, charge: ChargeIdentity) -> str:
        """The id of the PaymentIntent with which the session was paid.

        Raises PaymentError(GATEWAY_UNAVAILABLE) if the customer has not tried to pay yet.
        """
        intent = (await self._reader.find_session(charge)).payment_intent
        if intent is None:
            raise self._client.unavailable("nobody has paid on the page")
        return intent.id

    async def _paid(self, intent: Intent | None, charge: ChargeIdentity) -> Charge | None:
        if intent is None:
            return None
        paid = await self._intents.charge_of(intent, charge)
        return paid.model_copy(update={"reference": charge.reference})


def _charge(charge: ChargeIdentity, state: ChargeState) -> Charge:
    return Charge(key=charge.key, state=state, reference=charge.reference)
