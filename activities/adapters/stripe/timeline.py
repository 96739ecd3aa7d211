"""Stripe's part of a payment's timeline: its page, its PaymentIntent, and all of its refunds."""

from collections.abc import Sequence
from datetime import UTC, datetime

from activities.adapters.stripe.client import StripeClient
from activities.adapters.stripe.objects import Intent, MadeRefund, Session
from activities.adapters.stripe.reading import AMOUNTS, StripeReader, identity_of, is_session
from activities.adapters.stripe.refunds import StripeRefunds
from domain.gateway import ChargeState
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source


class StripeTimeline:
    """Reads a payment by its reference. Raises only PaymentError(GATEWAY_UNAVAILABLE)."""

    def __init__(self, client: StripeClient, *, livemode: bool) -> None:
        self._reader = StripeReader(client, livemode=livemode)
        self._refunds = StripeRefunds(client, self._reader)

    async def __call__(self, payment: Payment, _: Sequence[Refund]) -> list[Entry]:
        """The entries, with those of refunds that were made in Stripe's dashboard."""
        if payment.gateway_reference is None:
            return []
        charge = identity_of(payment)
        if not is_session(payment.gateway_reference):
            return await self._of_intent(await self._reader.find_intent(charge))
        session = await self._reader.find_session(charge)
        entries = [_entry(session, f"page was opened, and is {session.status}")]
        paid = session.payment_intent
        return [*entries, *(await self._of_intent(paid) if paid else ())]

    async def _of_intent(self, intent: Intent) -> list[Entry]:
        entries = [_entry(intent, f"charge was opened, and is {_shown_state(intent)}")]
        if intent.amount_received:
            refunds = self._refunds.of(intent.id)
            entries += [_entry(each, f"refund is {each.status}") async for each in refunds]
        return entries


def _shown_state(intent: Intent) -> str:
    """A refunded charge is shown as captured, because its refunds are entries of their own."""
    if intent.state is ChargeState.REFUNDED:
        return ChargeState.CAPTURED
    return intent.state or intent.status


def _entry(found: Intent | Session | MadeRefund, event: str) -> Entry:
    at = datetime.fromtimestamp(found.created, UTC)
    return Entry(at, Source.GATEWAY, event, str(AMOUNTS.money(found.amount, found.currency)))
