"""Shows operators a dispute until it is decided."""

from datetime import timedelta
from functools import partial

from temporalio import workflow

from activities.disputes import DisputeActivities
from domain.dispute import Dispute, DisputeState, FoundDispute
from domain.errors import ErrorCode, PaymentError
from workflows.cancellation import is_cancelled, until_operators_cancel
from workflows.compensation import until_done_or_cancelled
from workflows.gateway_changes import WithGatewayChanges
from workflows.operator_view import ORDER_ID, OperatorView
from workflows.steps import execute

LOOK = timedelta(days=1)
"""Pause between two looks, if no event of the gateway comes. A dispute takes weeks. Chosen, not
measured."""
MESSAGES = {
    DisputeState.INQUIRY: "The customer's bank asks about the payment: answer it at the gateway, "
    "or refund the whole payment.",
    DisputeState.OPEN: "The customer's bank disputes the payment: answer it at the gateway. The "
    "payment cannot be refunded.",
    DisputeState.LOST: "The customer's bank keeps the money of this payment. Book it, then cancel "
    "this workflow.",
}


@workflow.defn
class DisputeWatch(WithGatewayChanges):
    """Ends when the dispute is won, when it is of no payment of ours, or when it is cancelled."""

    @workflow.init
    def __init__(self, dispute: Dispute) -> None:
        super().__init__()
        self._view = OperatorView(f"dispute `{dispute.reference}` of `{dispute.attempt}`")

    @workflow.run
    async def run(self, dispute: Dispute) -> None:
        await until_operators_cancel(self._watch(dispute))

    async def _watch(self, dispute: Dispute) -> None:
        find = partial(execute, self._view, DisputeActivities.find_dispute, dispute)
        self._changes.clear()  # the signal that started the workflow
        while not is_cancelled():
            found = await until_done_or_cancelled(find, on_failure=self._view.needs_attention)
            if found is None or found.state is DisputeState.WON:
                self._view.show_end("nothing is to be done")
                return
            self._show(found)
            await self._changes.wait(LOOK, "look at the dispute again")

    def _show(self, found: FoundDispute) -> None:
        workflow.upsert_search_attributes([ORDER_ID.value_set(str(found.order_id))])
        message = f"{MESSAGES[found.state]} Payment {found.payment_id}."
        error = PaymentError(ErrorCode.PAYMENT_DISPUTED, message)
        self._view.needs_attention(error, is_retried=False)
