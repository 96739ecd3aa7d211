"""The steps of a payment, one method each."""

from datetime import timedelta
from functools import partial

from temporalio import workflow

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
from workflows.versions import SAGA_3

CLAIM_REFUSALS = frozenset(
    {
        ErrorCode.PAYMENT_IN_PROGRESS,
        ErrorCode.ORDER_NOT_PENDING,
        ErrorCode.CUSTOMER_MISMATCH,
    }
)
"""The order belongs to another payment, or is closed: no claim of this payment had an effect."""


class PaymentSteps:
    """Every step raises PaymentError, and nothing else, when it has failed for good."""

    def __init__(self, instruction: PaymentInstruction, view: OperatorView) -> None:
        self._instruction = instruction
        self._execute = partial(execute, view)

    async def fetch_order(self) -> Order:
        return await self._execute(VerificationActivities.fetch_order, self._instruction.order_id)

    async def fetch_reservation(self, within: timedelta | None = None) -> Reservation | None:
        """The reservation; None if the payment names none."""
        reservation_id = self._instruction.reservation_id
        if reservation_id is None:
            return None
        return await self._execute(
            VerificationActivities.fetch_reservation, reservation_id, within=within
        )

    async def record_pending(self) -> Claim:
        pending = Payment.pending(self._instruction)
        return await self._execute(RecordActivities.record_pending, pending)

    async def find_payment(self) -> Payment | None:
        return await self._execute(RecordActivities.find_payment, self._instruction.payment_id)

    async def charge(self, within: timedelta) -> Charge:
        request = self._instruction.charge_request
        return await self._execute(ChargeActivities.charge, request, within=within)

    async def find_charge(self) -> Charge | None:
        request = self._instruction.charge_request
        return await self._execute(ChargeActivities.find_charge, request)

    async def resolve_charge(self) -> Charge:
        request = self._instruction.charge_request
        return await self._execute(ChargeActivities.resolve_charge, request)

    async def refund(self) -> Charge:
        payment_id = self._instruction.payment_id
        request = RefundRequest(
            key=names.refund_key(payment_id),
            charge_key=names.charge_key(payment_id),
            amount=self._instruction.amount,
        )
        return await self._execute(ChargeActivities.refund_charge, request)

    async def record_succeeded(self, payment: Payment) -> Payment:
        """The payment as it is recorded: with the time of the try that recorded it."""
        recorded = await self._execute(
            RecordActivities.record_succeeded, payment, local_first=payment.may_be_sent
        )
        return recorded or payment

    async def begin_event(self, payment: Payment) -> Payment:
        """The payment as it is recorded once its success can no longer be undone."""
        return await self._execute(RecordActivities.begin_event, payment)

    async def record_compensation(self, payment: Payment) -> Payment:
        """The payment as it is recorded: with a compensation, or as it has ended."""
        return await self._execute(RecordActivities.record_compensation, payment)

    async def record_failed(self, payment: Payment) -> None:
        await self._execute(RecordActivities.record_failed, payment)

    async def publish(self, payment: Payment) -> Payment:
        """The same payment, its event published."""
        await self._execute(
            EventActivities.publish_event,
            PaymentEvent.of(payment),
            local_first=payment.may_be_sent and workflow.patched(SAGA_3),
        )
        return payment.announced()

    async def withdraw_event(self, payment: Payment) -> Payment:
        """The same payment, its event withdrawn."""
        await self._execute(RecordActivities.withdraw_event, payment)
        return payment.announced(Announcement.NONE)
