"""The steps of a refund that a caller asked for, each safe to run twice."""

from temporalio import activity

from activities.ports import EventPublisher, PaymentGateway, Refunds
from domain.errors import ErrorCode, PaymentError
from domain.events import RefundEvent
from domain.refund import Refund


class RefundActivities:
    def __init__(
        self, gateway: PaymentGateway, refunds: Refunds, publisher: EventPublisher
    ) -> None:
        self._gateway = gateway
        self._refunds = refunds
        self._publisher = publisher

    @activity.defn
    async def record_refund(self, refund: Refund) -> Refund:
        """Set the amount aside; answers the refund as it is recorded, which may have ended."""
        return await self._refunds.record_pending(refund)

    @activity.defn
    async def make_refund(self, refund: Refund) -> None:
        """Give the money back, unless that has been done: gateways forget keys, not refunds."""
        if not await self._gateway.is_refunded(refund.request.key):
            await self._gateway.refund(refund.request)

    @activity.defn
    async def record_refund_ended(self, refund: Refund) -> None:
        await self._refunds.record_ended(refund)

    @activity.defn
    async def publish_refund(self, event: RefundEvent) -> None:
        """Publish, and note that it is done. Money given back cannot be taken again."""
        try:
            await self._publisher.publish(event)
        except PaymentError as error:
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        await self._refunds.record_announced(event.refund)
