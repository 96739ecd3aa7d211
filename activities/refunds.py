"""The steps of a refund that a caller requested. Each is safe to repeat."""

from temporalio import activity

from activities.ports import EventPublisher, PaymentGateway, Refunds
from domain.errors import ErrorCode, PaymentError
from domain.events import RefundEvent
from domain.gateway import RefundRequest, RefundState
from domain.refund import Refund


def require_made(state: RefundState) -> None:
    """Raises PaymentError: GATEWAY_UNAVAILABLE if it is pending, REFUND_REFUSED if it failed."""
    if state is RefundState.PENDING:
        raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "The gateway is still refunding.")
    if state is RefundState.FAILED:
        raise PaymentError(ErrorCode.REFUND_REFUSED, "The refund has failed at the gateway.")


class RefundActivities:
    """Every step may raise the errors of the ports that it uses."""

    def __init__(
        self, gateway: PaymentGateway, refunds: Refunds, publisher: EventPublisher
    ) -> None:
        self._gateway = gateway
        self._refunds = refunds
        self._publisher = publisher

    @activity.defn
    async def record_refund(self, refund: Refund) -> Refund:
        """Reserve the amount. Returns the recorded refund, which may have ended before."""
        return await self._refunds.record_pending(refund)

    @activity.defn
    async def make_refund(self, refund: Refund) -> None:
        """Refund once. Does nothing if the gateway has already made this refund.

        It is looked up first, because a gateway forgets idempotency keys after a time. Raises
        PaymentError(REFUND_REFUSED) only if no request with this key has refunded or can still
        refund.
        """
        request = refund.request
        state = await self._gateway.find_refund(request)
        if state is None:
            is_first = refund.is_unsent and activity.info().attempt == 1
            state = await self._send(request, is_first=is_first)
        require_made(state)

    async def _send(self, request: RefundRequest, *, is_first: bool) -> RefundState:
        try:
            return await self._gateway.refund(request)
        except PaymentError as error:
            if error.code is not ErrorCode.REFUND_REFUSED or is_first:
                raise
            return await self._state_after_refusal(error, request)

    async def _state_after_refusal(
        self, refusal: PaymentError, request: RefundRequest
    ) -> RefundState:
        """Find out whether an earlier request has made the refund. Returns the refund's state.

        If there is no refund, an earlier request may still arrive at the gateway. If too little is
        left to refund, that request will be refused too, because the rest never grows: this raises
        the refusal. Otherwise it raises PaymentError(GATEWAY_UNAVAILABLE).
        """
        can_refund = await self._gateway.can_still_refund(request)
        state = await self._gateway.find_refund(request)
        if state is not None:
            return state
        if can_refund:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, refusal.message) from refusal
        raise refusal

    @activity.defn
    async def record_refund_ended(self, refund: Refund) -> None:
        await self._refunds.record_ended(refund)

    @activity.defn
    async def publish_refund(self, event: RefundEvent) -> None:
        """Publish the event, and record that it is published.

        It is retried even if Kafka refuses the event, because the money has moved.
        """
        try:
            await self._publisher.publish(event)
        except PaymentError as error:
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        await self._refunds.record_announced(event.refund)
