"""Undoes an attempt that may hold money, and belongs to a payment that ended without it."""

from functools import partial

from temporalio import workflow

from activities.records import RecordActivities
from domain.errors import ErrorCode, PaymentError
from domain.gateway import ENDED, ChargeState
from domain.payment import Payment
from domain.stray_attempt import StrayAttempt
from workflows.cancellation import is_cancelled, until_operators_cancel
from workflows.compensation import until_done_or_cancelled
from workflows.operator_view import OperatorView
from workflows.payment_steps import PaymentSteps
from workflows.steps import execute

GONE = ENDED - {ChargeState.CAPTURED}
"""The states of an attempt that holds no money and cannot take any."""


@workflow.defn
class StrayAttemptWorkflow:
    """Ends when the attempt holds no money, or if the payment has succeeded by this attempt.

    If the gateway has taken money, it is refunded, and operators see this workflow until they
    cancel it: a person must find out why it was taken. Usually the payment itself has already
    undone the attempt when the event arrives. Then operators see nothing.
    """

    @workflow.init
    def __init__(self, stray: StrayAttempt) -> None:
        self._stray = stray
        self._view = OperatorView(f"attempt `{stray.reference}` of order `{stray.order_id}`")

    @workflow.run
    async def run(self, stray: StrayAttempt) -> None:  # noqa: ARG002 (see __init__)
        await until_operators_cancel(self._undo())

    async def _undo(self) -> None:
        find = partial(execute, self._view, RecordActivities.find_payment, self._stray.payment_id)
        payment = await until_done_or_cancelled(find, on_failure=self._view.needs_attention)
        if payment is None or not self._is_stray(payment):
            return
        steps = PaymentSteps(payment.to_resume(), self._view)
        look = partial(steps.find_charge, self._stray.reference)
        found = await until_done_or_cancelled(look, on_failure=self._view.needs_attention)
        if found is not None and found.state in GONE:
            self._view.show_end("it holds no money")
            return
        refund = partial(steps.refund, self._stray.reference)
        charge = await until_done_or_cancelled(refund, on_failure=self._view.needs_attention)
        if charge.state is not ChargeState.REFUNDED:
            return
        self._view.needs_attention(
            PaymentError(
                ErrorCode.GATEWAY_UNAVAILABLE,
                "The gateway had money of a payment that does not count it. It is refunded now. "
                "Find out who has captured it, or whether an earlier refund has failed, then "
                "cancel this workflow.",
            ),
            is_retried=False,
        )
        await workflow.wait_condition(is_cancelled)

    def _is_stray(self, payment: Payment) -> bool:
        """Whether the payment has ended, and not by a success of this attempt.

        While the payment is pending, its own workflow captures or undoes the attempt.
        """
        stray = self._stray
        if (payment.order_id, payment.gateway) != (stray.order_id, stray.gateway):
            return False
        return payment.is_final and not payment.has_succeeded_by(stray.reference)
