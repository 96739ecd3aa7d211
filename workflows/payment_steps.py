"""The steps of a payment, one method each: the activity, and what operators see of it."""

from datetime import timedelta

from activities.charges import ChargeActivities
from activities.events import EventActivities
from activities.records import RecordActivities
from activities.verification import VerificationActivities
from domain import names
from domain.errors import ErrorCode
from domain.events import PaymentEvent
from domain.gateway import Charge, RefundRequest
from domain.payment import Announcement, Claim, Payment, PaymentInstruction
from domain.verification import Order, Reservation
from workflows.operator_view import OperatorView
from workflows.steps import execute

CLAIM_REFUSALS = frozenset(
    {
        ErrorCode.PAYMENT_IN_PROGRESS,
        ErrorCode.ORDER_NOT_PENDING,
        ErrorCode.CUSTOMER_MISMATCH,
    }
)
"""The order is another payment's, or closed: no claim of this payment can have had an effect."""


class PaymentSteps:
    """Every step raises PaymentError, and only that, when it has failed for good."""

    def __init__(self, instruction: PaymentInstruction, view: OperatorView) -> None:
        self._instruction = instruction
        self._view = view

    async def fetch_order(self) -> Order:
        with self._view.step("fetch order"):
            return await execute(
                VerificationActivities.fetch_order,
                self._instruction.order_id,
                summary="fetch the order from Ordering",
            )

    async def fetch_reservation(self, within: timedelta | None = None) -> Reservation | None:
        """None if the payment names none."""
        if self._instruction.reservation_id is None:
            return None
        with self._view.step("verify reservation"):
            return await execute(
                VerificationActivities.fetch_reservation,
                self._instruction.reservation_id,
                summary="fetch the reservation from Inventory",
                within=within,
            )

    async def record_pending(self) -> Claim:
        with self._view.step("record pending"):
            return await execute(
                RecordActivities.record_pending,
                Payment.pending(self._instruction),
                summary="claim the order for this payment",
            )

    async def find_payment(self) -> Payment | None:
        with self._view.step("find payment"):
            return await execute(
                RecordActivities.find_payment,
                self._instruction.payment_id,
                summary="read how the payment is recorded",
            )

    async def charge(self, within: timedelta) -> Charge:
        request = self._instruction.charge_request
        with self._view.step("charge"):
            return await execute(
                ChargeActivities.charge,
                request,
                summary=f"charge {request.amount}",
                within=within,
            )

    async def find_charge(self) -> Charge | None:
        with self._view.step("find charge"):
            return await execute(
                ChargeActivities.find_charge,
                self._instruction.charge_request,
                summary="look up what an earlier run has charged",
            )

    async def settle_charge(self) -> Charge:
        with self._view.step("settle charge"):
            return await execute(
                ChargeActivities.resolve_charge,
                self._instruction.charge_request,
                summary="find out what became of the charge",
            )

    async def refund(self) -> Charge:
        payment_id = self._instruction.payment_id
        request = RefundRequest(
            key=names.refund_key(payment_id),
            charge_key=names.charge_key(payment_id),
            amount=self._instruction.amount,
        )
        with self._view.step("refund"):
            return await execute(
                ChargeActivities.refund_charge, request, summary=f"refund {request.amount}"
            )

    async def record_succeeded(self, payment: Payment) -> None:
        with self._view.step("record succeeded"):
            await execute(RecordActivities.record_succeeded, payment, summary="record the success")

    async def begin_event(self, payment: Payment) -> Payment:
        with self._view.step("begin event"):
            return await execute(
                RecordActivities.begin_event, payment, summary="record that the success stands"
            )

    async def record_compensation(self, payment: Payment) -> Payment:
        with self._view.step("record compensation"):
            return await execute(
                RecordActivities.record_compensation,
                payment,
                summary="record that the payment is being undone",
            )

    async def record_failed(self, payment: Payment) -> None:
        with self._view.step("record failed"):
            await execute(RecordActivities.record_failed, payment, summary="record the failure")

    async def publish(self, payment: Payment) -> Payment:
        """The same payment, its event published."""
        event = PaymentEvent.of(payment)
        with self._view.step(f"publish {event.topic}"):
            await execute(EventActivities.publish_event, event, summary=f"publish {event.topic}")
        return payment.announced()

    async def withdraw_event(self, payment: Payment) -> Payment:
        """The same payment, its event withdrawn."""
        with self._view.step("withdraw event"):
            await execute(
                RecordActivities.withdraw_event,
                payment,
                summary="record that the failure is not published",
            )
        return payment.announced(Announcement.NONE)
