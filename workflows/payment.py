"""The saga of one payment: its steps in order, and how they are undone."""

import asyncio
from datetime import timedelta
from functools import partial

from temporalio import workflow

from domain.claim import Claim
from domain.errors import NEVER_PUBLISHED, RULES, ErrorCode, PaymentError
from domain.gateway import verify_charge
from domain.instruction import PaymentInstruction
from domain.payment import Announcement, Payment, PaymentStatus
from workflows.cancellation import raise_if_cancelled, uninterrupted, unless_cancelled
from workflows.compensation import Compensations, until_done
from workflows.gateway_changes import WithGatewayChanges
from workflows.operator_view import OperatorView, memo
from workflows.order_check import OrderCheck
from workflows.pauses import RECORDING_PAUSES, RECORDING_TIME
from workflows.payment_steps import CLAIM_REFUSALS, PaymentSteps
from workflows.referenced_charge import charge_of
from workflows.versions import SAGA_2, SAGA_3, SAGA_4


@workflow.defn
class PaymentWorkflow(WithGatewayChanges):
    """Ends with one capture, a row `succeeded` and its event; or with a row `failed` and no money.

    `run` returns the payment as it has ended. A workflow that fails is a bug.
    """

    @workflow.init
    def __init__(self, instruction: PaymentInstruction) -> None:
        super().__init__()
        self._view = OperatorView(f"**{instruction.amount}** for order `{instruction.order_id}`")
        self._until_done = partial(until_done, on_failure=self._view.needs_attention)
        self._compensations = Compensations()
        self._claimed: Claim | None = None
        self._event_is_left = False
        self._process(instruction, Payment.pending(instruction))

    def _process(self, instruction: PaymentInstruction, payment: Payment) -> None:
        """Make this payment the one that the saga processes."""
        self._instruction = instruction
        self._payment = payment
        self._steps = PaymentSteps(instruction, self._view)
        self._check = OrderCheck(instruction, self._steps)
        self._charge = charge_of(instruction, self._steps, self._view, self._changes)

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
        self._view.show_ending(self._payment)
        return self._payment

    # How a payment begins: as a new one, or where an earlier run has ended.

    async def _begin(self) -> None:
        if not self._instruction.resumed:
            await self._claim_and_verify()
        elif workflow.patched(SAGA_2):
            await self._resume()
        else:
            await self._resume_as_version_0_1_0()

    async def _claim_and_verify(self) -> None:
        """Claim the order; at the same time request the order and the reservation."""
        claiming = asyncio.create_task(self._claim())
        self._check.start()
        try:
            claim = await claiming
        except PaymentError as error:
            await self._check.stop()
            if RULES[error.code].retryable and workflow.patched(SAGA_2):
                self._compensations.add(self._refund_lost_run)
            raise
        if claim.is_final or (claim.is_new is False and workflow.patched(SAGA_2)):
            await self._check.stop()
            await self._continue_from(claim.payment)
            return
        await self._check.verify()

    async def _claim(self) -> Claim:
        """The payment that holds the order: this one, unless another was first."""
        return self._claimed or await self._steps.record_pending()

    async def _resume(self) -> None:
        """Continue a payment whose workflow was lost. Claiming its order is repeated until done."""
        try:
            claim = await self._until_done(
                self._steps.record_pending, refusals=CLAIM_REFUSALS, in_any_round=True
            )
        except PaymentError as error:
            await self._give_up_order(error)
            return
        if claim.is_new:  # the row comes before the charge: no earlier run has charged
            self._check.start()
            await self._check.verify()
            return
        if claim.id != self._instruction.payment_id:
            await self._undo_duplicate()
        await self._continue_from(claim.payment)

    async def _resume_as_version_0_1_0(self) -> None:
        self._compensations.add(self._refund)
        if workflow.patched("resumed-payments-claim-first"):
            self._claimed = await self._until_done(
                self._steps.record_pending, refusals=frozenset({ErrorCode.PAYMENT_IN_PROGRESS})
            )
        await self._claim_and_verify()

    async def _continue_from(self, recorded: Payment) -> None:
        """Process a recorded payment. An earlier run may have ended at any step.

        If its ending is irrevocable, only its event is published. Otherwise the charge is looked
        up first, because only its present state at the gateway counts.
        """
        is_another = recorded.id != self._instruction.payment_id
        if is_another and recorded.is_unannounced and workflow.patched(SAGA_2):
            workflow.upsert_memo(memo(recorded.to_resume()))
        self._payment = recorded
        if recorded.is_irrevocable or not workflow.patched(SAGA_2):
            return
        self._process(recorded.to_resume(self._instruction), recorded)
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
            await self._check.verify_again(self._view.needs_attention)
        if recorded.status is PaymentStatus.SUCCEEDED:
            await self._make_irrevocable()

    async def _give_up_order(self, error: PaymentError) -> None:
        """Another payment holds the order: fail, or leave the event to a later reconciliation."""
        recorded = await self._until_done(self._steps.find_payment)
        if recorded is None:  # the row comes before the charge: nothing is to be refunded
            raise error
        if not recorded.is_final:
            self._compensations.add(self._refund)
            raise error
        self._payment = recorded
        self._event_is_left = True

    async def _undo_duplicate(self) -> None:
        """Refund this payment and withdraw its event: another payment has paid the order."""
        recorded = await self._until_done(self._steps.find_payment)
        if recorded is not None:
            await self._refund()
            if recorded.is_unannounced:
                await self._withdraw(recorded)

    async def _withdraw(self, recorded: Payment) -> Payment:
        """Withdraw the event of a failure. Returns the payment without an event."""
        return await self._until_done(lambda: self._steps.withdraw_event(recorded))

    # The charge.

    async def _charge_once(self) -> None:
        """Charge, unless an earlier run has charged."""
        charge = self._charge.response
        if charge is None:
            raise_if_cancelled()
            self._compensations.add(self._refund)
            charge = await self._charge.make(self._check)
        self._payment = self._charge.noted_on(self._payment).charged(charge)
        verify_charge(charge)

    # How it ends.

    async def _record_success(self) -> None:
        """Record the success and try to publish it. Before a retry the order is verified again."""
        is_first_run = not self._instruction.resumed
        may_be_sent = is_first_run and (workflow.patched(SAGA_4) or workflow.patched(SAGA_3))
        self._payment = self._payment.succeeded(at=workflow.now(), may_be_sent=may_be_sent)
        give_up_at = workflow.now() + RECORDING_TIME

        def fail(error: PaymentError) -> None:
            is_over = not RULES[error.code].retryable or workflow.now() >= give_up_at
            if is_over or not workflow.patched(SAGA_2):
                raise error
            self._view.needs_attention(error)

        await until_done(self._verify_and_record, on_failure=fail, pauses=RECORDING_PAUSES)
        if self._instruction.resumed and workflow.patched(SAGA_2):
            await self._make_irrevocable()

    async def _verify_and_record(self) -> None:
        """Record the success, unless the order may no longer be paid or it was cancelled."""
        was_slow = self._check.is_old or self._charge.was_slow
        if (was_slow or self._instruction.resumed) and workflow.patched(SAGA_2):
            fail = unless_cancelled(self._view.needs_attention)
            await self._check.verify_again(fail, holds_for=timedelta(0))
        self._check.raise_if_expired()
        raise_if_cancelled()
        self._payment = await self._steps.record_succeeded(self._payment)

    async def _make_irrevocable(self) -> None:
        """In a later run: record that publishing begins. Then the success cannot be undone.

        Raises PaymentError if an activity of a lost run has recorded a compensation or a failure
        before. After this, the database refuses both.
        """
        self._payment = await self._until_done(partial(self._steps.begin_event, self._payment))
        if self._payment.compensation is not None:
            raise self._payment.compensation.error
        if self._payment.status is PaymentStatus.FAILED:
            raise self._payment.error

    async def _publish_success(self) -> None:
        """Publish a success that was only recorded. Raises PaymentError(EVENT_REFUSED)."""
        if not self._payment.is_irrevocable:
            publish = partial(self._steps.publish, self._payment)
            refusals = frozenset({ErrorCode.EVENT_REFUSED})
            self._payment = await self._until_done(publish, refusals=refusals)

    async def _finish_publishing(self) -> None:
        if self._payment.is_unannounced and not self._event_is_left:
            self._payment = await self._until_done(partial(self._steps.publish, self._payment))

    async def _compensate(self, error: PaymentError) -> None:
        """Refund what was captured, then record and publish the failure.

        The compensation is recorded first, so that no later run records or publishes the success.
        If the success is irrevocable already, it remains.
        """
        may_have_captured = self._compensations and self._charge.may_be_captured
        if may_have_captured and workflow.patched(SAGA_2):
            intended = self._payment.compensating(error)
            recorded = await self._until_done(lambda: self._steps.record_compensation(intended))
            self._payment = self._payment.waiting(recorded.wait)  # perhaps recorded late
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

    async def _refund_lost_run(self) -> None:
        """Refund what a lost run may have charged. Without a row, none has charged."""
        if await self._until_done(self._steps.find_payment) is None:
            return
        await self._refund()
        if self._charge.is_refunded:
            self._check.order_is_pending = None

    async def _fail(self, error: PaymentError) -> None:
        if self._check.must_be_repeated_before_failure and workflow.patched(SAGA_2):
            await self._check.repeat_before_failure(self._view.needs_attention)
        is_published = self._check.order_is_pending and error.code not in NEVER_PUBLISHED
        failed = self._charge.noted_on(self._payment).failed(
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
        """Read the payment again: an activity of a lost run may have recorded another ending.

        If that is a failure, only what agrees with the latest responses of Ordering and Inventory
        is published.
        """
        if not (self._instruction.resumed and workflow.patched(SAGA_2)):
            return failed
        recorded = await self._until_done(self._steps.find_payment) or failed
        if not (recorded.closes_its_order and recorded.is_unannounced):
            return recorded
        if not failed.closes_its_order:
            return await self._withdraw(recorded)
        return recorded.releasing(failed.released_reservation_id)
