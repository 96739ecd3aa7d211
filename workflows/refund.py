"""The saga of a refund that a caller requested: reserve, refund, record, publish."""

from temporalio import workflow

from activities.refunds import RefundActivities
from domain.errors import ErrorCode, PaymentError
from domain.events import RefundEvent
from domain.refund import Refund, RefundStatus
from workflows.compensation import Step, uninterrupted, until_done
from workflows.operator_view import OperatorView
from workflows.steps import execute

REFUSALS = frozenset({ErrorCode.REFUND_TOO_LARGE, ErrorCode.REFUND_REFUSED})
"""Final in any round. REFUND_TOO_LARGE: less than that is left of the payment. REFUND_REFUSED:
`make_refund` raises it only if the gateway has refunded nothing and will not refund later."""


@workflow.defn
class RefundWorkflow:
    """Ends with one refund, its row and its event; or with no refund.

    A refund that has begun cannot be cancelled.
    """

    @workflow.init
    def __init__(self, refund: Refund) -> None:
        self._refund = refund
        self._view = OperatorView(f"**{refund.amount}** back for order `{refund.order_id}`")

    @workflow.run
    async def run(self, refund: Refund) -> Refund:  # noqa: ARG002 (see __init__)
        return await uninterrupted(self._make())

    async def _make(self) -> Refund:
        try:
            await self._until_done(self._reserve)
        except PaymentError as error:
            self._refund = self._refund.failed(error, at=workflow.now())
        else:
            await self._finish()
        self._view.show_ending(self._refund)
        return self._refund

    async def _finish(self) -> None:
        """Go on from the state that is recorded."""
        if not self._refund.is_final:
            self._refund = await self._result()
            await self._until_done(self._record_ended)
        if self._refund.status is RefundStatus.SUCCEEDED and not self._refund.is_announced:
            await self._until_done(self._publish)
            self._refund = self._refund.announced()

    async def _result(self) -> Refund:
        try:
            await self._until_done(self._refund_at_gateway)
        except PaymentError as error:
            return self._refund.failed(error, at=workflow.now())
        return self._refund.succeeded(at=workflow.now())

    async def _until_done(self, step: Step[None]) -> None:
        await until_done(
            step, on_failure=self._view.needs_attention, refusals=REFUSALS, in_any_round=True
        )

    # The steps, one method each.

    async def _reserve(self) -> None:
        recorded = await execute(self._view, RefundActivities.record_refund, self._refund)
        is_new = not recorded.is_final and recorded.created_at == self._refund.created_at
        is_unsent = self._refund.is_unsent and is_new
        self._refund = recorded.model_copy(update={"is_unsent": is_unsent})

    async def _refund_at_gateway(self) -> None:
        refund = self._refund
        self._refund = refund.model_copy(update={"is_unsent": False})
        await execute(self._view, RefundActivities.make_refund, refund)

    async def _record_ended(self) -> None:
        await execute(self._view, RefundActivities.record_refund_ended, self._refund)

    async def _publish(self) -> None:
        event = RefundEvent(refund=self._refund)
        await execute(self._view, RefundActivities.publish_refund, event)
