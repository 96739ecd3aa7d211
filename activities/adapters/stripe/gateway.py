"""Stripe as a payment gateway: with a card token, or on Stripe's own page."""

from activities.adapters.stripe.client import StripeClient
from activities.adapters.stripe.disputes import StripeDisputes
from activities.adapters.stripe.intents import StripeIntents
from activities.adapters.stripe.reading import StripeReader, is_session
from activities.adapters.stripe.sessions import StripeSessions
from activities.gateway_ports import ChargingGateway
from domain.dispute import Dispute, FoundDispute
from domain.gateway import Charge, ChargeIdentity, ChargeRequest, GatewayRefund, RefundRequest


class StripeGateway:
    """Implements `OpeningGateway`. `livemode` says whether the API key moves real money.

    If it does not, charges are marked as simulated. The reference of a charge is the id of a
    PaymentIntent if there is a card token, and of a Checkout Session if Stripe's page is used.
    """

    def __init__(self, client: StripeClient, *, livemode: bool) -> None:
        reader = StripeReader(client, livemode=livemode)
        self._intents = StripeIntents(client, reader)
        self._sessions = StripeSessions(client, reader, self._intents)
        self._disputes = StripeDisputes(client, reader)

    async def open(self, request: ChargeRequest) -> Charge:
        opening: ChargingGateway = self._sessions if request.has_page else self._intents
        return await opening.open(request)

    async def charge(self, request: ChargeRequest) -> Charge:
        return await self._of(request.reference).charge(request)

    async def capture(self, request: ChargeRequest) -> Charge:
        return await self._of(request.reference).capture(request)

    async def find_charge(self, charge: ChargeIdentity) -> Charge | None:
        return await self._of(charge.reference).find_charge(charge)

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        return await self._of(charge.reference).void_charge(charge)

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        return await self._of(request.reference).refund(request)

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        return await self._of(request.reference).find_refund(request)

    async def can_still_refund(self, request: RefundRequest) -> bool:
        return await self._of(request.reference).can_still_refund(request)

    async def find_dispute(self, dispute: Dispute) -> FoundDispute | None:
        return await self._disputes.find(dispute)

    def _of(self, reference: str | None) -> ChargingGateway:
        is_page = reference is not None and is_session(reference)
        return self._sessions if is_page else self._intents
