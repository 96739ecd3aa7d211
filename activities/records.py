"""The payment's row, written by the workflow and by nobody else."""

from temporalio import activity

from activities.ports import Payments
from domain.payment import Payment


class RecordActivities:
    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    @activity.defn
    async def record_pending(self, payment: Payment) -> Payment:
        """Claim the order for this payment; answers the earlier success if there is one."""
        return await self._payments.record_pending(payment)

    @activity.defn
    async def record_succeeded(self, payment: Payment) -> None:
        await self._payments.record_succeeded(payment)

    @activity.defn
    async def record_failed(self, payment: Payment) -> None:
        await self._payments.record_failed(payment)
