"""Checks whether a successful refund fails later, as it may at a real gateway."""

from datetime import timedelta

from temporalio import workflow

from activities.refunds import RefundActivities
from domain.errors import ErrorCode, PaymentError
from domain.gateway import GatewayRefund, RefundState
from domain.refund import Refund
from workflows.cancellation import ended_by_operators, is_cancelled, uninterrupted
from workflows.compensation import until_done_or_cancelled
from workflows.gateway_changes import WithGatewayChanges
from workflows.operator_view import OperatorView
from workflows.steps import execute

LOOKS = tuple(timedelta(days=days) for days in (1, 2, 4, 8, 16))
"""The pauses before each look. A bank returns the money of a refund within 30 days at most
(https://docs.stripe.com/refunds#failed-refunds)."""


@workflow.defn
class RefundWatch(WithGatewayChanges):
    """Ends when the refund will not fail any more. `refund` has succeeded, and it is published.

    If it has failed, operators see this workflow until they cancel it: the customer has no money,
    and only a person can pay it in another way.
    """

    @workflow.init
    def __init__(self, refund: Refund) -> None:
        super().__init__()
        title = f"**{refund.amount}** were refunded for order `{refund.order_id}`"
        self._view = OperatorView(title)

    @workflow.run
    async def run(self, refund: Refund) -> Refund:
        self._refund = refund
        with ended_by_operators():
            self._refund = await uninterrupted(self._watch(refund))
        return self._refund

    async def _watch(self, refund: Refund) -> Refund:
        for pause in LOOKS:
            until = workflow.now() + pause
            while workflow.now() < until:
                await self._changes.wait(until - workflow.now(), "look at the refund again")
                if is_cancelled():
                    return refund
                found = await self._find(refund)
                if found is not None and found.state is RefundState.FAILED:
                    return await self._call_for_help(refund.failed_later(at=workflow.now()))
        self._view.show_end("the refund has not failed")
        return refund

    async def _find(self, refund: Refund) -> GatewayRefund | None:
        async def find() -> GatewayRefund | None:
            return await execute(self._view, RefundActivities.find_refund, refund)

        return await until_done_or_cancelled(find, on_failure=self._view.needs_attention)

    async def _call_for_help(self, refund: Refund) -> Refund:
        async def record() -> None:
            step = RefundActivities.record_refund_failed_later
            await execute(self._view, step, refund)

        await until_done_or_cancelled(record, on_failure=self._view.needs_attention)
        self._view.needs_attention(
            PaymentError(
                ErrorCode.REFUND_REFUSED,
                "The refund failed after it had succeeded: the customer has no money. Pay it in "
                "another way, then cancel this workflow.",
            ),
            is_retried=False,
        )
        await workflow.wait_condition(is_cancelled)
        return refund
