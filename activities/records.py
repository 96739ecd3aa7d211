"""The steps that write the payment's row. Only the workflow of the payment writes it."""

from uuid import UUID

from temporalio import activity

from activities.ports import Payments
from domain.claim import Claim
from domain.payment import Announcement, Payment


class RecordActivities:
    """Every step may raise the errors of the port `Payments`."""

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    @activity.defn
    async def find_payment(self, payment_id: UUID) -> Payment | None:
        """The recorded payment; None if it has no row."""
        return await self._payments.find(payment_id)

    @activity.defn
    async def record_pending(self, payment: Payment) -> Claim:
        """Claim the order for this payment. Returns the payment that holds the order."""
        return await self._payments.record_pending(payment, activity.info().workflow_run_id)

    @activity.defn
    async def record_reference(self, payment: Payment) -> Payment:
        """Record the payment's `gateway_reference`, unless one is recorded.

        Returns the recorded payment.
        """
        reference = payment.gateway_reference or ""
        return await self._payments.record_reference(payment.id, reference)

    @activity.defn
    async def record_wait(self, payment: Payment) -> Payment:
        """Record the payment's `wait` for its customer, unless one is recorded.

        Returns the recorded payment.
        """
        assert payment.wait is not None
        return await self._payments.record_wait(payment.id, payment.wait)

    @activity.defn
    async def record_succeeded(self, payment: Payment) -> Payment | None:
        """Record the success. Returns the recorded payment if an earlier try has done so."""
        return await self._payments.record_succeeded(payment)

    @activity.defn
    async def begin_event(self, payment: Payment) -> Payment:
        """Record that publishing the success has begun, unless the payment is being undone.

        Returns the recorded payment.
        """
        await self._payments.record_announcement(payment.announced(Announcement.BEGUN))
        return await self._payments.find(payment.id) or payment

    @activity.defn
    async def record_compensation(self, payment: Payment) -> Payment:
        """Record that the payment is being undone. Returns the recorded payment."""
        return await self._payments.record_compensation(payment)

    @activity.defn
    async def record_failed(self, payment: Payment) -> None:
        await self._payments.record_failed(payment, activity.info().workflow_run_id)

    @activity.defn
    async def withdraw_event(self, payment: Payment) -> None:
        """Record that the failure will not be published: its order is not pending any more."""
        await self._payments.record_announcement(payment.announced(Announcement.NONE))
