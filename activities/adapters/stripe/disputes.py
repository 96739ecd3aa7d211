"""Disputes at Stripe: https://docs.stripe.com/api/disputes/object.

A status that begins with `warning` is an inquiry: https://docs.stripe.com/disputes/how-disputes-work.
"""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from activities.adapters.stripe.client import StripeClient
from activities.adapters.stripe.objects import DisputeList, PaidFor
from activities.adapters.stripe.reading import INTENTS, StripeReader
from domain import names
from domain.dispute import Dispute, DisputeState, FoundDispute

DISPUTES = "/v1/disputes"
STATES: Mapping[str, DisputeState] = MappingProxyType(
    {
        **dict.fromkeys(("warning_needs_response", "warning_under_review"), DisputeState.INQUIRY),
        **dict.fromkeys(("needs_response", "under_review"), DisputeState.OPEN),
        **dict.fromkeys(("won", "warning_closed", "prevented"), DisputeState.WON),
        "lost": DisputeState.LOST,
    }
)


class StripeDisputes:
    def __init__(self, client: StripeClient, reader: StripeReader) -> None:
        self._client = client
        self._reader = reader

    async def find(self, dispute: Dispute) -> FoundDispute | None:
        """The dispute in its present state; None if its payment was not made by this service.

        Raises PaymentError(GATEWAY_UNAVAILABLE).
        """
        paid_for = await self._paid_for(dispute.attempt)
        if paid_for is None:
            return None
        query = {"payment_intent": dispute.attempt, "limit": "100"}
        page = self._reader.read(await self._client.get(DISPUTES, **query), DisputeList)
        for found in page.data:
            if found.id == dispute.reference and found.payment_intent == dispute.attempt:
                state = STATES.get(found.status)
                if state is None:
                    raise self._client.unavailable(f"the dispute is {found.status}")
                payment_id, order_id = paid_for
                return FoundDispute(state=state, payment_id=payment_id, order_id=order_id)
        raise self._client.unavailable("the PaymentIntent has no such dispute")

    async def _paid_for(self, attempt: str) -> tuple[UUID, UUID] | None:
        """The payment and the order of the PaymentIntent; None if it is not ours."""
        intent = self._reader.read(await self._client.get(f"{INTENTS}/{attempt}"), PaidFor)
        if intent.id != attempt:
            raise self._client.unavailable("the response is about another charge")
        payment_id = names.payment_of(intent.metadata.get("key", ""))
        order_id = names.parsed_id(intent.metadata.get("order_id", ""))
        return (payment_id, order_id) if payment_id and order_id else None
