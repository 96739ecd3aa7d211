"""The saga of a refund that a caller requested: reserve, refund, record, publish."""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.refunds import RefundActivities
from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.events import RefundEvent
from domain.gateway import GatewayRefund, RefundState
from domain.refund import Refund, RefundStatus
from workflows.cancellation import uninterrupted
from workflows.compensation import Result, Step, until_done
from workflows.gateway_changes import WithGatewayChanges
from workflows.operator_view import OperatorView, refund_search_attributes, refund_summary
from workflows.pauses import PAUSES
from workflows.refund_watch import RefundWatch
from workflows.steps import execute

REFUSALS = frozenset(
    {ErrorCode.REFUND_TOO_LARGE, ErrorCode.REFUND_REFUSED, ErrorCode.PAYMENT_DISPUTED}
)
"""Final in any round. REFUND_TOO_LARGE: less than that is left of the payment. The two others:
`make_refund` raises them only if the gateway has refunded nothing and will not refund later."""
REFUND_TIME = timedelta(days=7)
"""How long a refund may be pending at the gateway before operators see it. Chosen, not measured."""
LATE = PaymentError(
    ErrorCode.GATEWAY_UNAVAILABLE, "The refund has been pending at the gateway for days."
)


@workflow.defn
class RefundWorkflow(WithGatewayChanges):
    """Ends with one refund, its row and its event; or with no refund.

    A refund that has begun cannot be cancelled.
    """

    @workflow.init
    def __init__(self, refund: Refund) -> None:
        super().__init__()
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
            self._view.needs_attention(None)  # it is not pending any more
            await self._until_done(self._record_ended)
        if self._refund.status is RefundStatus.SUCCEEDED and not self._refund.is_announced:
            if self._refund.terms.opens:
                await self._watch()
            await self._until_done(self._publish)
            self._refund = self._refund.announced()

    async def _result(self) -> Refund:
        try:
            made = await self._until_done(self._refund_at_gateway)
            if made is not None and made.state is RefundState.PENDING:
                await self._wait_for_gateway()
        except PaymentError as error:
            return self._refund.failed(error, at=workflow.now())
        return self._refund.succeeded(at=workflow.now())

    async def _wait_for_gateway(self) -> None:
        """Wait until the refund is not pending any more. Raises PaymentError if it has failed."""
        await self._until_done(self._record_reference)
        made, began, pause = None, workflow.now(), PAUSES.first
        while made is None or made.state is RefundState.PENDING:
            self._view.waits("refund", "it is pending at the gateway")
            if workflow.now() - began > REFUND_TIME:
                self._view.needs_attention(LATE, is_retried=False)
            summary = "the refund is pending at the gateway"
            await self._changes.wait(pause, summary, or_cancelled=False)
            pause = min(2 * pause, PAUSES.longest)
            made = await self._until_done(self._refund_at_gateway)

    async def _watch(self) -> None:
        """Start the workflow that checks whether the refund fails later."""
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                RefundWatch.run,
                self._refund,
                id=names.refund_watch_id(self._refund.id),
                parent_close_policy=ParentClosePolicy.ABANDON,
                search_attributes=refund_search_attributes(self._refund),
                static_summary=refund_summary(self._refund),
            )

    async def _until_done(self, step: Step[Result]) -> Result:
        return await until_done(
            step, on_failure=self._view.needs_attention, refusals=REFUSALS, in_any_round=True
        )

    # The steps, one method each.

    async def _reserve(self) -> None:
        recorded = await execute(self._view, RefundActivities.record_refund, self._refund)
        is_new = not recorded.is_final and recorded.created_at == self._refund.created_at
        is_unsent = self._refund.is_unsent and is_new
        self._refund = recorded.model_copy(update={"is_unsent": is_unsent})

    async def _refund_at_gateway(self) -> GatewayRefund | None:
        refund = self._refund
        self._refund = refund.model_copy(update={"is_unsent": False})
        one_try = refund.terms.refund_try
        made = await execute(self._view, RefundActivities.make_refund, refund, one_try=one_try)
        self._refund = self._refund.referring(made.reference if made is not None else None)
        return made

    async def _record_reference(self) -> None:
        await execute(self._view, RefundActivities.record_refund_reference, self._refund)

    async def _record_ended(self) -> None:
        await execute(self._view, RefundActivities.record_refund_ended, self._refund)

    async def _publish(self) -> None:
        event = RefundEvent(refund=self._refund)
        await execute(self._view, RefundActivities.publish_refund, event)
