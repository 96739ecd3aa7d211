"""The steps of a refund that a caller requested. Each is safe to repeat."""

from temporalio import activity

from activities.gateways import Gateways
from activities.ports import EventPublisher, Refunds
from domain.errors import ErrorCode, PaymentError
from domain.events import RefundEvent
from domain.gateway import GatewayRefund, RefundRequest, RefundState
from domain.refund import Refund


def require_made(refund: GatewayRefund) -> None:
    """Raises PaymentError: GATEWAY_UNAVAILABLE if it is pending, REFUND_REFUSED if it failed."""
    if refund.state is RefundState.PENDING:
        raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "The gateway is still refunding.")
    if refund.state is RefundState.FAILED:
        raise PaymentError(ErrorCode.REFUND_REFUSED, "The refund has failed at the gateway.")


FINAL = frozenset({ErrorCode.REFUND_REFUSED, ErrorCode.PAYMENT_DISPUTED})
"""The codes of refusals after which the same request would be refused again."""


class RefundActivities:
    """Every step may raise the errors of the ports that it uses."""

    def __init__(self, gateways: Gateways, refunds: Refunds, publisher: EventPublisher) -> None:
        self._gateways = gateways
        self._refunds = refunds
        self._publisher = publisher

    @activity.defn
    async def record_refund(self, refund: Refund) -> Refund:
        """Reserve the amount. Returns the recorded refund, which may have ended before."""
        return await self._refunds.record_pending(refund, activity.info().workflow_run_id)

    @activity.defn
    async def make_refund(self, refund: Refund) -> GatewayRefund | None:
        """Refund once. Does nothing if the gateway has already made this refund.

        It is looked up first, because a gateway forgets idempotency keys after a time. Returns the
        refund, which may be pending for days, if the gateway opens; otherwise None. Raises
        PaymentError: REFUND_REFUSED or PAYMENT_DISPUTED only if no request with this key has
        refunded or can still refund.
        """
        request = refund.request
        made = await self._gateways.of(request.gateway).find_refund(request)
        if made is None:
            is_first = refund.is_unsent and activity.info().attempt == 1
            made = await self._send(request, is_first=is_first)
        if refund.terms.opens and made.state is RefundState.PENDING:
            return made
        require_made(made)
        return made if refund.terms.opens else None

    @activity.defn
    async def find_refund(self, refund: Refund) -> GatewayRefund | None:
        """The present state of the refund; None if the gateway has none."""
        return await self._gateways.of(refund.gateway).find_refund(refund.request)

    async def _send(self, request: RefundRequest, *, is_first: bool) -> GatewayRefund:
        try:
            return await self._gateways.of(request.gateway).refund(request)
        except PaymentError as error:
            if error.code not in FINAL or is_first:
                raise
            return await self._found_after_refusal(error, request)

    async def _found_after_refusal(
        self, refusal: PaymentError, request: RefundRequest
    ) -> GatewayRefund:
        """Look up the refund, which an earlier request may have made. Returns it.

        If there is no refund, an earlier request may still arrive at the gateway. If too little is
        left to refund, that request will be refused too, because the rest never grows: this raises
        the refusal. Otherwise it raises PaymentError(GATEWAY_UNAVAILABLE).
        """
        gateway = self._gateways.of(request.gateway)
        can_refund = await gateway.can_still_refund(request)
        made = await gateway.find_refund(request)
        if made is not None:
            return made
        if can_refund:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, refusal.message) from refusal
        raise refusal

    @activity.defn
    async def record_refund_ended(self, refund: Refund) -> None:
        await self._refunds.record_ended(refund)

    @activity.defn
    async def record_refund_reference(self, refund: Refund) -> None:
        await self._refunds.record_reference(refund)

    @activity.defn
    async def record_refund_failed_later(self, refund: Refund) -> None:
        await self._refunds.record_failed_later(refund)

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
