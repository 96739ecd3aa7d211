"""Checks whether a successful refund fails later, as it may at a real gateway."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio import workflow

from activities.refunds import RefundActivities
from domain.errors import ErrorCode, PaymentError
from domain.gateway import RefundState
from domain.refund import Refund
from workflows.cancellation import is_cancelled, until_operators_cancel
from workflows.compensation import Result, until_done_or_cancelled
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
        return await until_operators_cancel(self._watch(refund)) or refund

    async def _watch(self, refund: Refund) -> Refund:
        for pause in LOOKS:
            until = workflow.now() + pause
            while workflow.now() < until:
                await self._changes.wait(until - workflow.now(), "look at the refund again")
                if is_cancelled():
                    return refund
                found = await self._until_done(RefundActivities.find_refund, refund)
                if found is not None and found.state is RefundState.FAILED:
                    return await self._show_failure(refund.failed_later(at=workflow.now()))
        self._view.show_end("the refund has not failed")
        return refund

    async def _until_done(
        self, activity: Callable[[Any, Refund], Awaitable[Result]], refund: Refund
    ) -> Result:
        step = partial(execute, self._view, activity, refund)
        return await until_done_or_cancelled(step, on_failure=self._view.needs_attention)

    async def _show_failure(self, refund: Refund) -> Refund:
        """Record the failure, and show it to operators until they cancel the workflow."""
        await self._until_done(RefundActivities.record_refund_failed_later, refund)
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
