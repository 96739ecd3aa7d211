"""The saga of one payment: what happens, in order, and how it is undone."""

import asyncio
from datetime import timedelta
from functools import partial

from temporalio import workflow

from domain.errors import NEVER_PUBLISHED, RULES, ErrorCode, PaymentError
from domain.gateway import verify_charge
from domain.payment import Announcement, Claim, Payment, PaymentInstruction, PaymentStatus
from workflows.charging import OneCharge
from workflows.compensation import Compensations, uninterrupted, until_done
from workflows.operator_view import OperatorView, memo
from workflows.order_check import OrderCheck
from workflows.payment_steps import CLAIM_REFUSALS, PaymentSteps
from workflows.policies import CHARGE_TIME, RECORDING_PAUSES, RECORDING_TIME
from workflows.versions import SAGA_2


@workflow.defn
class PaymentWorkflow:
    """Ends with one capture, a row `succeeded` and its event, or with net zero and a row `failed`.

    Every ending is a payment that `run` returns. A workflow that fails is a bug.
    """

    @workflow.init
    def __init__(self, instruction: PaymentInstruction) -> None:
        self._view = OperatorView(f"**{instruction.amount}** for order `{instruction.order_id}`")
        self._until_done = partial(until_done, on_failure=self._view.needs_attention)
        self._compensations = Compensations()
        self._claimed: Claim | None = None
        self._leaves_event = False
        self._carry(instruction, Payment.pending(instruction))

    def _carry(self, instruction: PaymentInstruction, payment: Payment) -> None:
        """Be the workflow of this payment."""
        self._instruction = instruction
        self._payment = payment
        self._steps = PaymentSteps(instruction, self._view)
        self._check = OrderCheck(instruction, self._steps)
        self._charge = OneCharge(instruction, self._steps, self._view.needs_attention)

    @workflow.run
    async def run(self, instruction: PaymentInstruction) -> Payment:  # noqa: ARG002 (see __init__)
        return await uninterrupted(self._pay())

    async def _pay(self) -> Payment:
        try:
            await self._begin()
            if not self._payment.is_final:
                await self._charge_once()
                await self._record_success()
                await self._publish_success()
            await self._finish_publishing()
        except PaymentError as error:
            await self._compensate(error)
        self._view.ended(self._payment)
        return self._payment

    # How a payment begins: new, or where an earlier run has left it.

    async def _begin(self) -> None:
        if not self._instruction.resumed:
            await self._claim_and_verify()
        elif workflow.patched(SAGA_2):
            await self._take_up()
        else:
            await self._take_up_as_version_0_1_0()

    async def _claim_and_verify(self) -> None:
        """Claim the order. At the same time, request it from Ordering and its reservation."""
        claiming = asyncio.create_task(self._claim())
        self._check.ask()
        try:
            claim = await claiming
        except PaymentError as error:
            await self._check.stop_asking()
            if RULES[error.code].retryable and workflow.patched(SAGA_2):
                self._compensations.add(self._refund_unknown_run)
            raise
        if claim.is_final or (claim.is_new is False and workflow.patched(SAGA_2)):
            await self._check.stop_asking()
            await self._go_on(claim.payment)
            return
        await self._check.verify()

    async def _claim(self) -> Claim:
        """The payment that holds the order: this one, unless another was quicker."""
        return self._claimed or await self._steps.record_pending()

    async def _take_up(self) -> None:
        """Claim the order for a payment whose workflow was lost, for as long as it takes."""
        try:
            claim = await self._until_done(
                self._steps.record_pending, refusals=CLAIM_REFUSALS, in_any_round=True
            )
        except PaymentError as error:
            await self._give_way(error)
            return
        if claim.is_new:  # the row comes before the charge: no earlier run has charged
            self._check.ask()
            await self._check.verify()
            return
        if claim.id != self._instruction.payment_id:
            await self._close()
        await self._go_on(claim.payment)

    async def _take_up_as_version_0_1_0(self) -> None:
        self._compensations.add(self._refund)
        if workflow.patched("resumed-payments-claim-first"):
            self._claimed = await self._until_done(
                self._steps.record_pending, refusals=frozenset({ErrorCode.PAYMENT_IN_PROGRESS})
            )
        await self._claim_and_verify()

    async def _go_on(self, recorded: Payment) -> None:
        """Be the workflow of a payment that is recorded, whose earlier run may have done anything.

        An ending that stands only has its event published. Anything else is looked up at the
        gateway first: a charge counts only as it stands now.
        """
        is_another = recorded.id != self._instruction.payment_id
        if is_another and recorded.is_unannounced and workflow.patched(SAGA_2):
            workflow.upsert_memo(memo(recorded.to_resume()))
        self._payment = recorded
        if recorded.is_irrevocable or not workflow.patched(SAGA_2):
            return
        self._carry(recorded.to_resume(), recorded)
        self._compensations.add(self._refund)
        self._check.order_is_pending = None
        if recorded.compensation is not None:
            raise recorded.compensation.error
        charge = await self._charge.look_up()
        if charge is not None:
            verify_charge(charge)
        elif recorded.status is PaymentStatus.SUCCEEDED:
            raise PaymentError(
                ErrorCode.PROCESSOR_ERROR, "The gateway does not know the charge that is recorded."
            )
        else:
            await self._check.verify_again(self._view.needs_attention, holds_for=CHARGE_TIME)
        if recorded.status is PaymentStatus.SUCCEEDED:
            await self._let_success_stand()

    async def _give_way(self, error: PaymentError) -> None:
        """Another payment holds the order: fail, or leave the event to a later round if ended."""
        recorded = await self._until_done(self._steps.find_payment)
        if recorded is None:  # the row comes before the charge: nothing is to be refunded
            raise error
        if not recorded.is_final:
            self._compensations.add(self._refund)
            raise error
        self._payment = recorded
        self._leaves_event = True

    async def _close(self) -> None:
        """Refund this payment and withdraw its event: another payment has paid the order."""
        recorded = await self._until_done(self._steps.find_payment)
        if recorded is not None:
            await self._refund()
            if recorded.is_unannounced:
                await self._withdraw(recorded)

    async def _withdraw(self, recorded: Payment) -> Payment:
        """Withdraw the event of a failure. Returns the payment without an event."""
        return await self._until_done(lambda: self._steps.withdraw_event(recorded))

    # The charge, and what must still hold after it.

    async def _charge_once(self) -> None:
        """Charge, unless an earlier run is known to have charged."""
        charge = self._charge.answer
        if charge is None:
            self._turn_back_if_cancelled()
            self._compensations.add(self._refund)
            charge = await self._charge.make(self._check)
        self._payment = self._payment.charged(charge)
        verify_charge(charge)

    def _flag_unless_cancelled(self, error: PaymentError) -> None:
        self._view.needs_attention(error)
        self._turn_back_if_cancelled()

    def _turn_back_if_cancelled(self) -> None:
        if workflow.cancellation_reason() is not None:
            raise PaymentError(ErrorCode.PAYMENT_CANCELLED, "The payment was cancelled.")

    # How it ends.

    async def _record_success(self) -> None:
        """Record the success. Each retry first verifies the order again."""
        self._payment = self._payment.succeeded(at=workflow.now())
        give_up_at = workflow.now() + RECORDING_TIME

        def fail(error: PaymentError) -> None:
            is_over = not RULES[error.code].retryable or workflow.now() >= give_up_at
            if is_over or not workflow.patched(SAGA_2):
                raise error
            self._view.needs_attention(error)

        await until_done(self._keep_capture, on_failure=fail, pauses=RECORDING_PAUSES)
        if self._instruction.resumed and workflow.patched(SAGA_2):
            await self._let_success_stand()

    async def _keep_capture(self) -> None:
        """Record the success, unless the order may not be paid any more or was cancelled."""
        was_slow = self._check.is_old or self._charge.was_slow
        if (was_slow or self._instruction.resumed) and workflow.patched(SAGA_2):
            await self._check.verify_again(self._flag_unless_cancelled, holds_for=timedelta(0))
        self._check.raise_if_lapsed()
        self._turn_back_if_cancelled()
        await self._steps.record_succeeded(self._payment)

    async def _let_success_stand(self) -> None:
        """In a later run: record that the success stands, so that it may be published.

        An activity of a lost run may have recorded a compensation or a failure before: raises its
        PaymentError. After this, the database refuses both.
        """
        self._payment = await self._until_done(partial(self._steps.begin_event, self._payment))
        if self._payment.compensation is not None:
            raise self._payment.compensation.error
        if self._payment.status is PaymentStatus.FAILED:
            raise self._payment.error

    async def _publish_success(self) -> None:
        """Raises PaymentError(EVENT_REFUSED) while the success may still be undone."""
        refusals = (
            frozenset() if self._payment.is_irrevocable else frozenset({ErrorCode.EVENT_REFUSED})
        )
        self._payment = await self._until_done(self._publish, refusals=refusals)

    async def _finish_publishing(self) -> None:
        if self._payment.is_unannounced and not self._leaves_event:
            self._payment = await self._until_done(self._publish)

    async def _publish(self) -> Payment:
        return await self._steps.publish(self._payment)

    async def _compensate(self, error: PaymentError) -> None:
        """Give back what was captured, then record and publish the failure.

        That the payment is being undone is recorded first: no later run may record or publish its
        success. If its success was published after all, that stands.
        """
        may_have_captured = self._compensations and self._charge.may_be_captured
        if may_have_captured and workflow.patched(SAGA_2):
            intended = self._payment.compensating(error)
            recorded = await self._until_done(lambda: self._steps.record_compensation(intended))
            if recorded.is_irrevocable:
                if recorded.status is PaymentStatus.FAILED:
                    await self._compensations.unwind()
                self._payment = recorded
                await self._finish_publishing()
                return
            error = recorded.compensation.error if recorded.compensation else error
        await self._compensations.unwind()
        await self._fail(error)

    async def _refund(self) -> None:
        await self._charge.refund()

    async def _refund_unknown_run(self) -> None:
        """Refund what a lost run may have charged. Without a row, no run has charged."""
        if await self._until_done(self._steps.find_payment) is None:
            return
        await self._refund()
        if self._charge.is_refunded:
            self._check.order_is_pending = None

    async def _fail(self, error: PaymentError) -> None:
        if self._check.is_to_be_repeated_before_failure and workflow.patched(SAGA_2):
            await self._check.look_before_failure(self._view.needs_attention)
        is_published = self._check.order_is_pending and error.code not in NEVER_PUBLISHED
        failed = self._payment.failed(
            error,
            at=workflow.now(),
            announcement=Announcement.DUE if is_published else Announcement.NONE,
            released_reservation_id=self._check.releasable_reservation_id,
        )
        await self._until_done(lambda: self._steps.record_failed(failed))
        self._payment = await self._as_recorded(failed)
        await self._finish_publishing()
        if error.code is ErrorCode.GATEWAY_SIMULATED:
            self._view.needs_attention(error)

    async def _as_recorded(self, failed: Payment) -> Payment:
        """Read the payment back: an activity of a lost run may have recorded another ending.

        Of such a failure, only what agrees with the latest answers of Ordering and Inventory is
        published.
        """
        if not (self._instruction.resumed and workflow.patched(SAGA_2)):
            return failed
        recorded = await self._until_done(self._steps.find_payment) or failed
        if not (recorded.closes_its_order and recorded.is_unannounced):
            return recorded
        if not failed.closes_its_order:
            return await self._withdraw(recorded)
        return recorded.releasing(failed.released_reservation_id)
