"""The payment's row, written by the workflow and by nobody else."""

from uuid import UUID

from temporalio import activity

from activities.ports import Payments
from domain.payment import Announcement, Claim, Payment


class RecordActivities:
    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    @activity.defn
    async def find_payment(self, payment_id: UUID) -> Payment | None:
        """The payment as it is recorded."""
        return await self._payments.find(payment_id)

    @activity.defn
    async def record_pending(self, payment: Payment) -> Claim:
        """Claim the order for this payment; returns the earlier success if there is one."""
        return await self._payments.record_pending(payment)

    @activity.defn
    async def record_succeeded(self, payment: Payment) -> None:
        await self._payments.record_succeeded(payment)

    @activity.defn
    async def begin_event(self, payment: Payment) -> Payment:
        """Record that the success is being published, unless it is being undone.

        Returns the payment as it is recorded then.
        """
        await self._payments.record_announcement(payment.announced(Announcement.BEGUN))
        return await self._payments.find(payment.id) or payment

    @activity.defn
    async def record_compensation(self, payment: Payment) -> Payment:
        """Record that the payment is being undone; returns it as it is recorded then."""
        return await self._payments.record_compensation(payment)

    @activity.defn
    async def record_failed(self, payment: Payment) -> None:
        await self._payments.record_failed(payment)

    @activity.defn
    async def withdraw_event(self, payment: Payment) -> None:
        """Record that the failure is not published, because its order is not pending any more."""
        await self._payments.record_announcement(payment.announced(Announcement.NONE))
