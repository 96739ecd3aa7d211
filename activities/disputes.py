"""The step that looks at a dispute."""

from temporalio import activity

from activities.gateways import Gateways
from domain.dispute import Dispute, FoundDispute


class DisputeActivities:
    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways

    @activity.defn
    async def find_dispute(self, dispute: Dispute) -> FoundDispute | None:
        """The state of the dispute; None if it is of no payment of ours.

        Raises PaymentError(GATEWAY_UNAVAILABLE).
        """
        return await self._gateways.opening(dispute.gateway).find_dispute(dispute)
