"""A fake of the records of payments, with the rules that PostgreSQL enforces."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from activities.ports import Payments
from domain.claim import Claim
from domain.customer_action import Wait
from domain.errors import ErrorCode, PaymentError
from domain.payment import TRANSITIONS, Announcement, Payment, PaymentStatus
from domain.reconciliation import RowPosition
from tests.support.fakes.pages import pages
from tests.support.fakes.world import World


class FakePayments(Payments):
    def __init__(self, world: World) -> None:
        self._world = world

    async def find(self, payment_id: UUID) -> Payment | None:
        return await self._world.perform(
            "find_payment", lambda: self._world.payments.get(payment_id)
        )

    async def record_pending(self, payment: Payment, run_id: str | None = None) -> Claim:
        return await self._world.perform("record_pending", lambda: self._begin(payment, run_id))

    async def record_reference(self, payment_id: UUID, reference: str) -> Payment:
        return await self._world.perform(
            "record_reference", lambda: self._refer(payment_id, reference)
        )

    async def record_wait(self, payment_id: UUID, wait: Wait) -> Payment:
        return await self._world.perform("record_wait", lambda: self._wait(payment_id, wait))

    async def record_succeeded(self, payment: Payment) -> Payment | None:
        return await self._world.perform("record_succeeded", lambda: self._succeed(payment))

    async def record_compensation(self, payment: Payment) -> Payment:
        return await self._world.perform("record_compensation", lambda: self._undo(payment))

    async def record_unsent(self, payment: Payment) -> bool:
        return await self._world.perform("record_unsent", lambda: self._set_unsent(payment))

    async def record_failed(self, payment: Payment, run_id: str | None = None) -> None:
        await self._world.perform("record_failed", lambda: self._fail(payment, run_id))

    async def record_announcement(self, payment: Payment) -> None:
        await self._world.perform("record_announcement", lambda: self._announce(payment))

    async def pending_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        await self._world.perform("unfinished_before", lambda: None)
        pending = [each for each in self._world.payments.values() if not each.is_final]
        for page in pages(pending, moment, after):
            yield page

    async def unpublished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        unpublished = [each for each in self._world.payments.values() if each.is_unannounced]
        for page in pages(unpublished, moment, after):
            yield page

    def _begin(self, payment: Payment, run_id: str | None) -> Claim:
        if payment.id in self._world.payments:
            self._world.add_run(payment.id, run_id)
        claim = self._claim(payment)
        if claim.is_new or claim.payment.is_unannounced:
            self._world.add_run(claim.id, run_id)
        return claim

    def _fail(self, payment: Payment, run_id: str | None) -> None:
        is_new = payment.id not in self._world.payments
        self._move(payment)
        if is_new:
            self._world.add_run(payment.id, run_id)

    def _claim(self, payment: Payment) -> Claim:
        of_the_order = [
            each for each in self._world.payments.values() if each.order_id == payment.order_id
        ]
        for other in of_the_order:
            if other.status is not PaymentStatus.FAILED:
                if other.id != payment.id and not other.is_final:
                    raise PaymentError(ErrorCode.PAYMENT_IN_PROGRESS, "Another payment runs.")
                return Claim.of(other, is_new=False)
        if payment.id in self._world.payments:
            return Claim.of(self._world.payments[payment.id], is_new=False)
        for other in of_the_order:
            is_published = other.announcement is Announcement.MADE
            if other.closes_its_order and not (is_published and self._world.allows_another_attempt):
                is_own = other.customer_id == payment.customer_id
                code = ErrorCode.ORDER_NOT_PENDING if is_own else ErrorCode.CUSTOMER_MISMATCH
                raise PaymentError(code, "A failure has closed the order.")
        return Claim.of(self._move(payment), is_new=True)

    def _refer(self, payment_id: UUID, reference: str) -> Payment:
        recorded = self._world.payments.get(payment_id)
        if recorded is None:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "The payment has no record.")
        is_open = recorded.compensation is None and not recorded.is_final
        if is_open and recorded.gateway_reference is None:
            name = (recorded.gateway, reference)
            others = self._world.payments.values()
            if name in [(each.gateway, each.gateway_reference) for each in others]:
                raise PaymentError(ErrorCode.RECORD_REFUSED, "The reference is another payment's.")
            recorded = recorded.model_copy(update={"gateway_reference": reference})
            self._world.payments[payment_id] = recorded
        return recorded

    def _wait(self, payment_id: UUID, wait: Wait) -> Payment:
        recorded = self._world.payments.get(payment_id)
        if recorded is None:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "The payment has no record.")
        if recorded.compensation is None and not recorded.is_final and recorded.wait is None:
            recorded = recorded.waiting(wait)
            self._world.payments[payment_id] = recorded
        return recorded

    def _undo(self, payment: Payment) -> Payment:
        recorded = self._world.payments.get(payment.id)
        if recorded is None:
            return payment
        if _may_be_sent(recorded):
            recorded = recorded.announced(Announcement.BEGUN)
        elif not recorded.is_irrevocable and recorded.compensation is None:
            recorded = recorded.model_copy(update={"compensation": payment.compensation})
        self._world.payments[payment.id] = recorded
        return recorded

    def _set_unsent(self, payment: Payment) -> bool:
        recorded = self._world.payments[payment.id]
        if not _may_be_sent(recorded):
            return False
        unsent = recorded.model_copy(update={"may_be_sent": False})
        self._world.payments[payment.id] = unsent
        return True

    def _succeed(self, payment: Payment) -> Payment | None:
        recorded = self._world.payments.get(payment.id)
        if self._world.unrecordable or recorded is None:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "No success can be recorded.")
        self._move(payment)
        return recorded if recorded.is_final else None

    def _move(self, payment: Payment) -> Payment:
        if "\\u0000" in payment.model_dump_json():
            raise PaymentError(ErrorCode.RECORD_REFUSED, "PostgreSQL keeps no NUL in a text.")
        recorded = self._world.payments.get(payment.id)
        if recorded is not None:
            if recorded.status is payment.status:
                return recorded
            is_undone = recorded.compensation is not None
            if is_undone and payment.status is PaymentStatus.SUCCEEDED:
                raise PaymentError(ErrorCode.RECORD_REFUSED, "The payment is being undone.")
            stands = recorded.is_irrevocable or _may_be_sent(recorded)
            if payment.status not in TRANSITIONS[recorded.status] or stands:
                raise PaymentError(ErrorCode.RECORD_REFUSED, "This transition is not allowed.")
            kept = {"gateway_reference": recorded.gateway_reference, "wait": recorded.wait}
            payment = payment.model_copy(update=kept)
        self._world.payments[payment.id] = payment
        self._world.transitions[payment.id].append(payment.status)
        return payment

    def _announce(self, payment: Payment) -> None:
        recorded = self._world.payments[payment.id]
        is_final = recorded.announcement in {Announcement.MADE, payment.announcement}
        is_undone = (
            recorded.compensation is not None and recorded.status is not PaymentStatus.FAILED
        )
        if recorded.status is not payment.status or is_final or is_undone:
            return
        announced = recorded.announced(payment.announcement)
        self._world.payments[payment.id] = announced.releasing(payment.released_reservation_id)


def _may_be_sent(recorded: Payment) -> bool:
    return recorded.may_be_sent and recorded.announcement is Announcement.DUE
