"""A fake of the records of refunds, with the rules that PostgreSQL enforces."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from activities.ports import Refunds
from domain.errors import ErrorCode, PaymentError
from domain.payment import PaymentStatus
from domain.reconciliation import RowPosition
from domain.refund import Refund, RefundStatus
from tests.support.fakes.pages import pages
from tests.support.fakes.world import World


class FakeRefunds(Refunds):
    def __init__(self, world: World) -> None:
        self._world = world

    async def record_pending(self, refund: Refund, run_id: str | None = None) -> Refund:
        return await self._world.perform("record_refund", lambda: self._begin(refund, run_id))

    async def record_ended(self, refund: Refund) -> None:
        await self._world.perform("record_refund_ended", lambda: self._end(refund))

    async def record_reference(self, refund: Refund) -> None:
        await self._world.perform("record_refund_reference", lambda: self._refer(refund))

    async def record_failed_later(self, refund: Refund) -> None:
        await self._world.perform("record_refund_failed_later", lambda: self._fail_later(refund))

    async def record_announced(self, refund: Refund) -> None:
        await self._world.perform("record_refund_announced", lambda: self._announce(refund))

    async def unfinished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Refund]]:
        unfinished = [
            each
            for each in self._world.requested_refunds.values()
            if each.status is not RefundStatus.FAILED and not each.is_announced
        ]
        for page in pages(unfinished, moment, after):
            yield page

    def _begin(self, refund: Refund, run_id: str | None) -> Refund:
        recorded = self._reserve(refund)
        self._world.add_run(refund.id, run_id)
        return recorded

    def _reserve(self, refund: Refund) -> Refund:
        requested = self._world.requested_refunds
        others = (
            each.amount.minor_units
            for each in requested.values()
            if each.payment_id == refund.payment_id
            and each.id != refund.id
            and each.status is not RefundStatus.FAILED
        )
        payment = self._world.payments[refund.payment_id]
        is_kept = payment.as_shown_to_callers.status is PaymentStatus.SUCCEEDED
        captured = payment.amount.minor_units if is_kept else 0
        if sum(others) + refund.amount.minor_units > captured:
            raise PaymentError(ErrorCode.REFUND_TOO_LARGE, "The refund is more than what is left.")
        return requested.setdefault(refund.id, refund.model_copy(update={"is_unsent": False}))

    def _end(self, refund: Refund) -> None:
        recorded = self._world.requested_refunds[refund.id]
        if recorded.is_final and recorded.status is not refund.status:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "The refund has ended.")
        if not recorded.is_final:
            self._world.requested_refunds[refund.id] = refund.model_copy(
                update={"is_unsent": False}
            )

    def _refer(self, refund: Refund) -> None:
        recorded = self._world.requested_refunds[refund.id]
        if not recorded.is_final:
            referring = recorded.referring(refund.gateway_reference)
            self._world.requested_refunds[refund.id] = referring

    def _fail_later(self, refund: Refund) -> None:
        recorded = self._world.requested_refunds[refund.id]
        if recorded.status is RefundStatus.SUCCEEDED and recorded.failed_later_at is None:
            changed = recorded.model_copy(update={"failed_later_at": refund.failed_later_at})
            self._world.requested_refunds[refund.id] = changed

    def _announce(self, refund: Refund) -> None:
        recorded = self._world.requested_refunds[refund.id]
        self._world.requested_refunds[refund.id] = recorded.announced()
