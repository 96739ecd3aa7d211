"""The step that reads the state of a dispute at its gateway."""

from temporalio import activity

from activities.gateways import Gateways
from domain.dispute import Dispute, FoundDispute


class DisputeActivities:
    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways

    @activity.defn
    async def find_dispute(self, dispute: Dispute) -> FoundDispute | None:
        """The dispute in its present state; None if its payment was not made by this service.

        Raises PaymentError(GATEWAY_UNAVAILABLE).
        """
        return await self._gateways.opening(dispute.gateway).find_dispute(dispute)
