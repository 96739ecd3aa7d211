"""The saga of one payment: what happens, in order, and how it is undone."""

import asyncio
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from temporalio import workflow

from activities.charges import ChargeActivities
from activities.events import EventActivities
from activities.records import RecordActivities
from activities.verification import VerificationActivities
from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.gateway import Charge, ChargeState, RefundRequest, verify_charge
from domain.payment import Announcement, Payment, PaymentInstruction
from domain.verification import Order, Reservation, verify_order, verify_reservation
from workflows.compensation import Compensations, Step, uninterrupted, until_done
from workflows.operator_view import OperatorView
from workflows.policies import CHARGE_BUDGET, CHARGE_TIME, CHARGEABLE_FOR
from workflows.steps import execute

T = TypeVar("T")


@workflow.defn
class PaymentWorkflow:
    """Ends with one capture, a row `succeeded` and its event, or with net zero and a row `failed`.

    Every ending is a payment that `run` returns. A workflow that fails is a bug.
    """

    @workflow.init
    def __init__(self, instruction: PaymentInstruction) -> None:
        self._instruction = instruction
        self._payment = Payment.pending(instruction)
        self._claimed: Payment | None = None
        self._reservation: Reservation | None = None
        self._charge: Charge | None = None
        self._order_is_verified = False
        self._compensations = Compensations()
        self._view = OperatorView(f"**{instruction.amount}** for order `{instruction.order_id}`")

    @workflow.run
    async def run(self, instruction: PaymentInstruction) -> Payment:  # noqa: ARG002 (see __init__)
        return await uninterrupted(self._pay())

    async def _pay(self) -> Payment:
        try:
            if self._instruction.resumed:
                await self._take_up()
            await self._claim_and_verify()
            if self._payment.is_final:
                await self._finish_announcing()
            else:
                await self._charge_once()
                await self._record_success()
                await self._publish_success()
        except PaymentError as error:
            await self._compensate(error)
        self._view.ended(self._payment)
        return self._payment

    async def _take_up(self) -> None:
        """What may have charged is not given up because the database is down."""
        self._compensations.add(self._refund)
        if workflow.patched("resumed-payments-claim-first"):
            self._claimed = await self._until_done(
                self._record_pending, refusals=frozenset({ErrorCode.PAYMENT_IN_PROGRESS})
            )

    async def _claim_and_verify(self) -> None:
        claimed, order, reservation = await asyncio.gather(
            self._claim(),
            self._fetch_order(),
            self._fetch_reservation(),
            return_exceptions=True,
        )
        self._payment = _value(claimed)
        if self._payment.is_final:
            return  # this order was paid before: that payment is the answer
        verify_order(_value(order), self._instruction)
        self._order_is_verified = True
        self._reservation = _value(reservation)
        if self._reservation is not None:
            verify_reservation(
                self._reservation, self._instruction, workflow.now(), charge_time=CHARGE_TIME
            )

    async def _claim(self) -> Payment:
        """The payment that holds the order: this one, unless another was quicker."""
        return self._claimed or await self._record_pending()

    async def _charge_once(self) -> None:
        self._turn_back_if_cancelled()
        self._compensations.add(self._refund)
        self._charge = await self._settled_charge()
        self._payment = self._payment.charged(self._charge)
        verify_charge(self._charge)
        if self._reservation is not None and self._reservation.lapses_before(workflow.now()):
            raise PaymentError(
                ErrorCode.RESERVATION_NOT_ACTIVE,
                "The reservation lapsed while the charge was under way; the charge is refunded.",
            )
        self._turn_back_if_cancelled()

    async def _settled_charge(self) -> Charge:
        """Charge; if the outcome stays unknown, find it out without charging again."""
        try:
            self._turn_back_if_too_old()
            return await self._take_charge()
        except PaymentError as error:
            charge = await self._until_done(self._settle_charge)
            return charge.explained_by(error)

    async def _compensate(self, error: PaymentError) -> None:
        await self._compensations.unwind()
        self._payment = self._payment.failed(
            error,
            at=workflow.now(),
            announcement=Announcement.DUE if self._order_is_verified else Announcement.NONE,
            released_reservation_id=self._reservation_to_release(),
        )
        await self._until_done(self._record_failure)
        await self._finish_announcing()

    def _reservation_to_release(self) -> UUID | None:
        reservation = self._reservation
        if reservation is None or not reservation.may_be_released(self._instruction.order_id):
            return None
        return reservation.id

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

    def _charge_budget(self) -> timedelta:
        """As long as a charge is worth trying: never beyond the reservation it pays for."""
        expires_at = self._reservation.expires_at if self._reservation else None
        return min(CHARGE_BUDGET, expires_at - workflow.now()) if expires_at else CHARGE_BUDGET

    async def _until_done(self, step: Step[T], refusals: frozenset[ErrorCode] = frozenset()) -> T:
        return await until_done(step, on_failure=self._view.needs_attention, refusals=refusals)

    # The steps, one method each.

    async def _fetch_order(self) -> Order:
        with self._view.step("fetch order"):
            return await execute(
                VerificationActivities.fetch_order,
                self._instruction.order_id,
                summary="fetch the order from Ordering",
            )

    async def _fetch_reservation(self) -> Reservation | None:
        if self._instruction.reservation_id is None:
            return None
        with self._view.step("verify reservation"):
            return await execute(
                VerificationActivities.fetch_reservation,
                self._instruction.reservation_id,
                summary="fetch the reservation from Inventory",
            )

    async def _record_pending(self) -> Payment:
        with self._view.step("record pending"):
            return await execute(
                RecordActivities.record_pending,
                self._payment,
                summary="claim the order for this payment",
            )

    async def _take_charge(self) -> Charge:
        request = self._instruction.charge_request
        with self._view.step("charge"):
            return await execute(
                ChargeActivities.charge,
                request,
                summary=f"charge {request.amount}",
                within=self._charge_budget(),
            )

    async def _settle_charge(self) -> Charge:
        with self._view.step("settle charge"):
            return await execute(
                ChargeActivities.settle_charge,
                self._instruction.charge_request,
                summary="find out what became of the charge",
            )

    async def _record_success(self) -> None:
        self._payment = self._payment.succeeded(at=workflow.now())
        with self._view.step("record succeeded"):
            await execute(
                RecordActivities.record_succeeded, self._payment, summary="record the success"
            )

    async def _publish_success(self) -> None:
        await self._until_done(self._publish, refusals=frozenset({ErrorCode.EVENT_REFUSED}))

    async def _finish_announcing(self) -> None:
        if self._payment.is_unannounced:
            await self._until_done(self._publish)

    async def _refund(self) -> None:
        if self._charge is not None and self._charge.state is not ChargeState.CAPTURED:
            return
        await self._until_done(self._give_back)

    async def _give_back(self) -> None:
        payment_id = self._instruction.payment_id
        request = RefundRequest(
            key=names.refund_key(payment_id),
            charge_key=names.charge_key(payment_id),
            amount=self._instruction.amount,
        )
        with self._view.step("refund"):
            self._charge = await execute(
                ChargeActivities.refund_charge, request, summary=f"refund {request.amount}"
            )

    async def _record_failure(self) -> None:
        with self._view.step("record failed"):
            await execute(
                RecordActivities.record_failed, self._payment, summary="record the failure"
            )

    async def _publish(self) -> None:
        event = PaymentEvent.of(self._payment)
        with self._view.step(f"publish {event.topic}"):
            await execute(EventActivities.publish_event, event, summary=f"publish {event.topic}")
        self._payment = self._payment.announced()


def _value(outcome: T | BaseException) -> T:
    """What a gathered step answered; raises what it raised."""
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
