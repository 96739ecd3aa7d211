"""The saga of one payment: what happens, in order, and how it is undone."""

import asyncio
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState, verify_charge
from domain.payment import (
    Announcement,
    Claim,
    Payment,
    PaymentInstruction,
    PaymentStatus,
)
from workflows.compensation import Compensations, Step, uninterrupted, until_done
from workflows.operator_view import OperatorView, memo
from workflows.order_check import OrderCheck
from workflows.payment_steps import CLAIM_REFUSALS, PaymentSteps
from workflows.policies import CHARGE_TIME, CHARGEABLE_FOR
from workflows.versions import SAGA_2

T = TypeVar("T")


@workflow.defn
class PaymentWorkflow:
    """Ends with one capture, a row `succeeded` and its event, or with net zero and a row `failed`.

    Every ending is a payment that `run` returns. A workflow that fails is a bug.
    """

    @workflow.init
    def __init__(self, instruction: PaymentInstruction) -> None:
        self._view = OperatorView(f"**{instruction.amount}** for order `{instruction.order_id}`")
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
        self._charge: Charge | None = None
        self._charge_was_unknown = False

    @workflow.run
    async def run(self, instruction: PaymentInstruction) -> Payment:  # noqa: ARG002 (see __init__)
        return await uninterrupted(self._pay())

    async def _pay(self) -> Payment:
        try:
            await self._begin()
            if not self._payment.is_final:
                await self._charge_once()
                await self._verify_again()
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
        asked_at = workflow.now()
        claimed, order, reservation = await asyncio.gather(
            self._claim(),
            self._steps.fetch_order(),
            self._steps.fetch_reservation(within=self._instruction.reservation_wait),
            return_exceptions=True,
        )
        claim = _value(claimed)
        if claim.is_final or (not claim.is_new and workflow.patched(SAGA_2)):
            await self._go_on(claim.payment)
            return
        self._check.verify_order(_value(order), asked_at)
        self._check.verify_reservation(_value(reservation))

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
        if claim.id != self._instruction.payment_id:
            await self._refund()
            await self._withdraw_failure()
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
        if recorded.is_settled or not workflow.patched(SAGA_2):
            return
        self._carry(recorded.to_resume(), recorded)
        self._compensations.add(self._refund)
        self._check.order_is_pending = None
        if recorded.compensation is not None:
            raise recorded.compensation.error
        self._charge = await self._until_done(self._steps.find_charge)
        if self._charge is not None:
            verify_charge(self._charge)
        elif recorded.status is PaymentStatus.SUCCEEDED:
            raise PaymentError(
                ErrorCode.PROCESSOR_ERROR, "The gateway does not know the charge that is recorded."
            )
        else:
            await self._check.verify_again(self._view.needs_attention, holds_for=CHARGE_TIME)

    async def _give_way(self, error: PaymentError) -> None:
        """Another payment holds the order: fail, or leave the event to a later round if ended."""
        recorded = await self._until_done(self._steps.find_payment)
        if recorded is None or not recorded.is_final:
            self._compensations.add(self._refund)
            raise error
        self._payment = recorded
        self._leaves_event = True

    async def _withdraw_failure(self) -> None:
        """Another payment has paid the order: an event of this one's failure would cancel it."""
        recorded = await self._until_done(self._steps.find_payment)
        if recorded is not None and recorded.is_unannounced:
            await self._until_done(lambda: self._steps.withdraw_event(recorded))

    # The charge, and what must still hold after it.

    async def _charge_once(self) -> None:
        """Charge, unless an earlier run is known to have charged."""
        if self._charge is None:
            self._turn_back_if_cancelled()
            self._compensations.add(self._refund)
            self._charge = await self._settled_charge()
        self._payment = self._payment.charged(self._charge)
        verify_charge(self._charge)

    async def _settled_charge(self) -> Charge:
        """Charge; if the outcome stays unknown, find it out without charging again."""
        try:
            self._turn_back_if_too_old()
            return await self._steps.charge(within=self._check.charge_budget)
        except PaymentError as error:
            self._charge_was_unknown = True
            charge = await self._until_done(self._steps.settle_charge)
            return charge.explained_by(error)

    async def _verify_again(self) -> None:
        """Keep a capture only if its order may still be paid, and nobody has cancelled it."""
        if self._may_have_changed and workflow.patched(SAGA_2):
            await self._check.verify_again(self._flag_unless_cancelled, holds_for=timedelta(0))
        self._check.raise_if_lapsed()
        self._turn_back_if_cancelled()

    @property
    def _may_have_changed(self) -> bool:
        """Whether the order may have changed since it was verified: not after a quick charge."""
        tries = self._charge.tries if self._charge else 1
        was_slow = self._check.is_old or tries > 1 or self._charge_was_unknown
        return was_slow or self._instruction.resumed

    def _flag_unless_cancelled(self, error: PaymentError) -> None:
        self._view.needs_attention(error)
        self._turn_back_if_cancelled()

    def _turn_back_if_cancelled(self) -> None:
        if workflow.cancellation_reason() is not None:
            raise PaymentError(ErrorCode.PAYMENT_CANCELLED, "The payment was cancelled.")

    def _turn_back_if_too_old(self) -> None:
        """Only a payment that lost its workflow, or waited long for a worker, is that old."""
        is_old = workflow.now() - self._instruction.requested_at > CHARGEABLE_FOR
        if is_old and workflow.patched("charge-keys-are-forgotten"):
            error = PaymentError(
                ErrorCode.PROCESSOR_TIMEOUT,
                "The payment was requested too long ago to be charged. Nothing was charged.",
            )
            self._view.needs_attention(error)
            raise error

    # How it ends.

    async def _record_success(self) -> None:
        self._payment = self._payment.succeeded(at=workflow.now())
        await self._steps.record_succeeded(self._payment)
        await self._read_back()

    async def _publish_success(self) -> None:
        refusals = frozenset({ErrorCode.EVENT_REFUSED})
        self._payment = await self._until_done(self._publish, refusals)

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
        if self._may_have_captured and workflow.patched(SAGA_2):
            intended = self._payment.compensating(error)
            recorded = await self._until_done(lambda: self._steps.record_compensation(intended))
            if recorded.is_settled:
                if recorded.status is PaymentStatus.FAILED:
                    await self._compensations.unwind()
                self._payment = recorded
                await self._finish_publishing()
                return
            error = recorded.compensation.error if recorded.compensation else error
        await self._compensations.unwind()
        await self._fail(error)

    @property
    def _may_have_captured(self) -> bool:
        is_open = self._charge is None or self._charge.state is ChargeState.CAPTURED
        return is_open and bool(self._compensations)

    async def _refund(self) -> None:
        if self._charge is None or self._charge.state is ChargeState.CAPTURED:
            self._charge = await self._until_done(self._steps.refund)

    async def _fail(self, error: PaymentError) -> None:
        if self._check.is_to_be_repeated_before_failure and workflow.patched(SAGA_2):
            await self._check.look_before_failure(self._view.needs_attention)
        self._payment = self._payment.failed(
            error,
            at=workflow.now(),
            announcement=Announcement.DUE if self._check.order_is_pending else Announcement.NONE,
            released_reservation_id=self._check.releasable_reservation_id,
        )
        await self._until_done(lambda: self._steps.record_failed(self._payment))
        await self._read_back()
        await self._finish_publishing()
        if error.code is ErrorCode.GATEWAY_SIMULATED:
            self._view.needs_attention(error)

    async def _read_back(self) -> None:
        """Tell what is recorded: an activity of a lost run may have recorded it meanwhile."""
        if self._instruction.resumed and workflow.patched(SAGA_2):
            recorded = await self._until_done(self._steps.find_payment)
            self._payment = recorded or self._payment

    async def _until_done(
        self,
        step: Step[T],
        refusals: frozenset[ErrorCode] = frozenset(),
        *,
        in_any_round: bool = False,
    ) -> T:
        return await until_done(
            step,
            on_failure=self._view.needs_attention,
            refusals=refusals,
            in_any_round=in_any_round,
        )


def _value(outcome: T | BaseException) -> T:
    """What a gathered step has returned; raises what it raised."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
