"""The steps of a payment, one method each."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from temporalio import workflow

from activities.charges import ChargeActivities
from activities.events import EventActivities
from activities.records import RecordActivities
from activities.verification import VerificationActivities
from domain import names
from domain.claim import Claim
from domain.customer_action import Wait
from domain.errors import RULES, ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.gateway import Charge, ChargeRequest, RefundRequest
from domain.instruction import PaymentInstruction
from domain.payment import Announcement, Payment
from domain.verification import Order, Reservation
from workflows.operator_view import OperatorView
from workflows.steps import execute
from workflows.versions import SAGA_3, SAGA_4

Request = TypeVar("Request", ChargeRequest, RefundRequest)
ChargeT = TypeVar("ChargeT", bound=Charge | None)

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

    async def open_charge(self, within: timedelta) -> str:
        request = self._instruction.charge_request
        return await self._execute(ChargeActivities.open_charge, request, within=within)

    async def record_reference(self, reference: str) -> Payment:
        """The payment as it is recorded: with this reference, or with the one that it has."""
        payment = Payment.pending(self._instruction).referring(reference)
        return await self._execute(RecordActivities.record_reference, payment)

    async def record_wait(self, wait: Wait) -> Payment:
        """The payment as it is recorded: with this wait, or with the one that it has."""
        payment = Payment.pending(self._instruction).waiting(wait)
        return await self._execute(RecordActivities.record_wait, payment)

    async def authorize(self, reference: str, within: timedelta) -> Charge:
        request = self._request(reference)
        return await self._execute(ChargeActivities.authorize_charge, request, within=within)

    async def capture(self, reference: str, within: timedelta) -> Charge:
        request = self._request(reference)
        return await self._execute(ChargeActivities.capture_charge, request, within=within)

    async def find_charge(self, reference: str | None = None) -> Charge | None:
        request, one_try = self._request(reference), self._instruction.terms.charge_try
        return await self._ask(ChargeActivities.find_charge, request, one_try)

    async def look_at_charge(self, reference: str, within: timedelta) -> Charge | None:
        request, one_try = self._request(reference), self._instruction.terms.charge_try
        return await self._ask(ChargeActivities.look_at_charge, request, one_try, within)

    async def resolve_charge(self, reference: str | None = None) -> Charge:
        request, one_try = self._request(reference), self._instruction.terms.charge_try
        return await self._ask(ChargeActivities.resolve_charge, request, one_try)

    async def refund(self, reference: str | None = None) -> Charge:
        payment_id = self._instruction.payment_id
        request = RefundRequest(
            key=names.refund_key(payment_id),
            charge_key=names.charge_key(payment_id),
            amount=self._instruction.amount,
            gateway=self._instruction.gateway,
            reference=reference,
        )
        one_try = self._instruction.terms.refund_try
        return await self._ask(ChargeActivities.refund_charge, request, one_try)

    async def _ask(
        self,
        step: Callable[[Any, Request], Awaitable[ChargeT]],
        request: Request,
        one_try: timedelta | None,
        within: timedelta | None = None,
    ) -> ChargeT:
        """The charge after this step.

        Raises PaymentError(GATEWAY_UNAVAILABLE) if the response is about another charge than the
        request: a worker of an earlier version ignores the reference and sends the request to the
        simulator, which voids what it does not know.
        """
        charge: ChargeT = await self._execute(step, request, one_try=one_try, within=within)
        reference = request.reference
        if reference is not None and (charge is None or charge.reference != reference):
            raise PaymentError(
                ErrorCode.GATEWAY_UNAVAILABLE, "The response is about another charge."
            )
        return charge

    def _request(self, reference: str | None) -> ChargeRequest:
        return self._instruction.charge_request.model_copy(update={"reference": reference})

    async def record_succeeded(self, payment: Payment) -> Payment:
        """The payment as it is recorded: with the time of the try that recorded it.

        If its event `may_be_sent`, both are tried once inside the workflow task, and if that
        succeeds, it is published. Raises PaymentError(EVENT_REFUSED) if certainly nothing was sent.
        """
        if payment.may_be_sent and workflow.patched(SAGA_4):
            try:
                return await self._execute(EventActivities.record_and_publish, payment)
            except PaymentError as error:
                if not RULES[error.code].retryable:
                    raise
        recorded = await self._execute(
            RecordActivities.record_succeeded, payment, local_first=_as_saga_3(payment)
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
            local_first=_as_saga_3(payment),
        )
        return payment.announced()

    async def withdraw_event(self, payment: Payment) -> Payment:
        """The same payment, its event withdrawn."""
        await self._execute(RecordActivities.withdraw_event, payment)
        return payment.announced(Announcement.NONE)


def _as_saga_3(payment: Payment) -> bool:
    """Whether each step of a success is tried inside the workflow task first, as in 0.3.0.

    The patches are necessary: a run of an earlier version may continue a success of this one.
    """
    return payment.may_be_sent and not workflow.patched(SAGA_4) and workflow.patched(SAGA_3)
