"""The payment store: every statement about payments. Each is a transaction of its own."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Select, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from db.paging import pages, readable
from db.payment_rows import to_payment, to_row
from db.runs import ADD_RUN_OF_PAYMENT, first_run
from db.statements import Values, constant, execute, fetch
from db.tables import payments
from domain.claim import Claim
from domain.customer_action import Wait
from domain.errors import ErrorCode, PaymentError
from domain.payment import UNANNOUNCED, Announcement, Payment, PaymentStatus
from domain.reconciliation import RowPosition

IS_PENDING = payments.c.status == constant(PaymentStatus.PENDING)
IS_UNPUBLISHED = payments.c.announcement.in_(map(constant, sorted(UNANNOUNCED)))
_LIVE = (PaymentStatus.PENDING, PaymentStatus.SUCCEEDED)
_IS_LIVE = payments.c.status.in_(map(constant, _LIVE))
_ENDING = (
    "status",
    "error_code",
    "error_message",
    "failure_reason",
    "processed_at",
    "is_simulated",
    "simulated_response",
    "transaction_id",
    "announcement",
    "may_be_sent",
    "released_reservation_id",
    "compensation_code",
    "compensation_message",
)

_insert = insert(payments)
_CLAIM = _insert.on_conflict_do_nothing()
_CAN_SUCCEED = (
    payments.c.id == bindparam("payment_id"),
    payments.c.status == PaymentStatus.PENDING,
    payments.c.compensation_code.is_(None),
)
_SUCCEED = update(payments).where(*_CAN_SUCCEED).values({name: bindparam(name) for name in _ENDING})
_SET_REFERENCE = (
    update(payments)
    .where(*_CAN_SUCCEED, payments.c.gateway_reference.is_(None))
    .values(gateway_reference=bindparam("reference"))
)
_SET_WAIT = (
    update(payments)
    .where(*_CAN_SUCCEED, payments.c.waits_since.is_(None))
    .values(waits_since=bindparam("since"), waits_until=bindparam("until"))
)
_COMPENSATE = (
    update(payments)
    .where(
        payments.c.id == bindparam("payment_id"),
        payments.c.status.in_(_LIVE),
        payments.c.announcement.in_((Announcement.NONE, Announcement.DUE)),
        payments.c.may_be_sent.is_(False),
        payments.c.compensation_code.is_(None),
    )
    .values(
        compensation_code=bindparam("code"),
        compensation_message=bindparam("message"),
    )
)
_MAY_BE_SENT = (
    payments.c.id == bindparam("payment_id"),
    payments.c.status == PaymentStatus.SUCCEEDED,
    payments.c.announcement == Announcement.DUE,
    payments.c.may_be_sent,
)
_BEGIN = (
    update(payments)
    .where(*_MAY_BE_SENT)
    .values(
        announcement=Announcement.BEGUN,
        may_be_sent=False,
        announced_at=func.clock_timestamp(),
    )
)
_SET_UNSENT = update(payments).where(*_MAY_BE_SENT).values(may_be_sent=False)
_FAIL = _insert.on_conflict_do_update(
    index_elements=[payments.c.id],
    set_={name: _insert.excluded[name] for name in _ENDING},
    where=payments.c.status.in_(_LIVE)
    & payments.c.announcement.in_((Announcement.NONE, Announcement.DUE))
    & payments.c.may_be_sent.is_(False),
)
_SET_ANNOUNCEMENT = (
    update(payments)
    .where(
        payments.c.id == bindparam("payment_id"),
        payments.c.status == bindparam("ended_as"),
        payments.c.announcement.not_in((Announcement.MADE, bindparam("announced"))),
        payments.c.compensation_code.is_(None) | (payments.c.status == PaymentStatus.FAILED),
    )
    .values(
        announcement=bindparam("announced"),
        may_be_sent=False,
        announced_at=func.clock_timestamp(),
        released_reservation_id=bindparam("released"),
    )
)
_BY_ID = select(payments).where(payments.c.id == bindparam("payment_id"))
_CREATED_BEFORE = select(payments).where(payments.c.created_at < bindparam("moment"))
_PENDING = _CREATED_BEFORE.where(IS_PENDING)
_UNPUBLISHED = _CREATED_BEFORE.where(IS_UNPUBLISHED)
_CLOSED_BY = (
    select(payments)
    .where(
        payments.c.order_id == bindparam("order_id"),
        payments.c.status == constant(PaymentStatus.FAILED),
        payments.c.announcement != constant(Announcement.NONE),
    )
    .order_by(payments.c.created_at.desc())
    .limit(1)
)
_LIVE_BY_ORDER = select(payments).where(payments.c.order_id == bindparam("order_id"), _IS_LIVE)
_CAN_WRITE = text(
    """DO $$ BEGIN
        IF current_setting('transaction_read_only') = 'on' THEN
            RAISE read_only_sql_transaction;
        END IF;
    END $$"""
)


class PaymentStore:
    """Implements `Payments` of the activities and of the API with PostgreSQL.

    Every method is safe to repeat. It raises only PaymentError: DATABASE_UNAVAILABLE if the
    outcome is unknown, another code if PostgreSQL refused. A published failure closes its order
    for ever, or until `reattempt_after` has passed since it was published.
    """

    def __init__(self, engine: AsyncEngine, reattempt_after: timedelta | None = None) -> None:
        self._engine = engine
        self._reattempt_after_seconds = (
            int(reattempt_after.total_seconds()) if reattempt_after is not None else None
        )

    async def find(self, payment_id: UUID) -> Payment | None:
        return await self._find(_BY_ID, {"payment_id": payment_id})

    async def find_live(self, order_id: UUID) -> Payment | None:
        """The order's pending or succeeded payment, of which PostgreSQL allows one."""
        return await self._find(_LIVE_BY_ORDER, {"order_id": order_id})

    async def find_closing(self, order_id: UUID) -> Payment | None:
        """The latest published failure of the order, if it closes the order.

        None if a payment holds the order. Also None if `reattempt_after` is set: another
        attempt may have begun that has no row yet.
        """
        if self._reattempt_after_seconds is not None or await self.find_live(order_id):
            return None
        return await self._find(_CLOSED_BY, {"order_id": order_id})

    def pending_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        return self._pages(_PENDING, moment, after)

    def unpublished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        return self._pages(_UNPUBLISHED, moment, after)

    async def _pages(
        self, query: Select[Any], moment: datetime, after: RowPosition | None
    ) -> AsyncIterator[Sequence[Payment]]:
        values = {"moment": moment}
        async for rows in pages(self._engine, query, payments.c.created_at, values, after=after):
            yield readable(to_payment, rows)

    async def record_pending(self, payment: Payment, run_id: str | None = None) -> Claim:
        row = {**to_row(payment), "reattempt_after_seconds": self._reattempt_after_seconds}
        row |= first_run(run_id)
        try:
            if await self._execute(_CLAIM, row) == 1:
                return Claim.of(payment, is_new=True)
        except PaymentError as error:
            if error.code is not ErrorCode.RECORD_REFUSED:
                raise
            await self._raise_if_closed(payment)
            raise
        await self._add_run(payment, run_id)
        holder = await self._holder(payment)
        if holder.id != payment.id and holder.is_unannounced:
            await self._add_run(holder, run_id)
        return Claim.of(holder, is_new=False)

    async def _add_run(self, payment: Payment, run_id: str | None) -> None:
        if run_id:
            await self._execute(ADD_RUN_OF_PAYMENT, {"payment_id": payment.id, "run_id": run_id})

    async def _raise_if_closed(self, payment: Payment) -> None:
        """Raise PaymentError if a published failure closes the payment's order."""
        closing = await self._find(_CLOSED_BY, {"order_id": payment.order_id})
        if closing is not None:
            raise closing.refusal_for(payment.customer_id)

    async def _holder(self, payment: Payment) -> Payment:
        """The payment that holds the order: another one, or `payment` from an earlier try."""
        holder = await self.find_live(payment.order_id) or await self.find(payment.id)
        if holder is None:
            raise PaymentError(
                ErrorCode.DATABASE_UNAVAILABLE, "The order was released just now; claim it again."
            )
        if holder.id != payment.id and not holder.is_final:
            raise PaymentError(
                ErrorCode.PAYMENT_IN_PROGRESS,
                "Another payment of this order is being processed. Wait for it to end.",
            )
        return holder

    async def record_reference(self, payment_id: UUID, reference: str) -> Payment:
        await self._execute(_SET_REFERENCE, {"payment_id": payment_id, "reference": reference})
        return await self._recorded(payment_id)

    async def record_wait(self, payment_id: UUID, wait: Wait) -> Payment:
        values = {"payment_id": payment_id, "since": wait.since, "until": wait.until}
        await self._execute(_SET_WAIT, values)
        return await self._recorded(payment_id)

    async def _recorded(self, payment_id: UUID) -> Payment:
        recorded = await self.find(payment_id)
        if recorded is None:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "The payment has no record.")
        return recorded

    async def record_succeeded(self, payment: Payment) -> Payment | None:
        row = to_row(payment)
        values = {"payment_id": payment.id} | {name: row[name] for name in _ENDING}
        if await self._execute(_SUCCEED, values) == 1:
            return None
        return await self._confirm(payment, "The payment is no longer pending; it cannot succeed.")

    async def record_compensation(self, payment: Payment) -> Payment:
        row = to_row(payment)
        values = {
            "payment_id": payment.id,
            "code": row["compensation_code"],
            "message": row["compensation_message"],
        }
        if await self._execute(_COMPENSATE, values) == 0:
            await self._execute(_BEGIN, {"payment_id": payment.id})
        return await self.find(payment.id) or payment

    async def record_unsent(self, payment: Payment) -> bool:
        return await self._execute(_SET_UNSENT, {"payment_id": payment.id}) == 1

    async def record_failed(self, payment: Payment, run_id: str | None = None) -> None:
        if await self._execute(_FAIL, to_row(payment) | first_run(run_id)) == 0:
            await self._confirm(payment, "The payment's success is published; it cannot fail.")

    async def record_announcement(self, payment: Payment) -> None:
        values = {
            "payment_id": payment.id,
            "ended_as": payment.status,
            "announced": payment.announcement,
            "released": payment.released_reservation_id,
        }
        await self._execute(_SET_ANNOUNCEMENT, values)

    async def ping(self) -> None:
        """Raises PaymentError(DATABASE_UNAVAILABLE) if PostgreSQL is down or read-only."""
        await self._execute(_CAN_WRITE, {})

    async def _confirm(self, payment: Payment, refusal: str) -> Payment:
        """The payment, if an earlier try has recorded this status.

        Raises PaymentError(RECORD_REFUSED) if not.
        """
        recorded = await self.find(payment.id)
        if recorded is None or recorded.status is not payment.status:
            raise PaymentError(ErrorCode.RECORD_REFUSED, refusal)
        return recorded

    async def _execute(self, statement: Executable, values: Values) -> int:
        return await execute(self._engine, statement, values)

    async def _find(self, query: Executable, values: Values) -> Payment | None:
        row = await fetch(self._engine, query, values)
        return to_payment(row) if row else None
