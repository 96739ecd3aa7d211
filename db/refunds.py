"""The refund store: every statement about refunds. Each is a transaction of its own."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from db.paging import pages, readable
from db.payment_rows import to_money
from db.runs import ADD_RUN_OF_REFUND, first_run
from db.statements import Row, constant, execute, fetch, fetch_all
from db.tables import payments, refunds
from domain.errors import ErrorCode, PaymentError
from domain.reconciliation import RowPosition
from domain.refund import Refund, RefundStatus

IS_UNFINISHED = (refunds.c.status == constant(RefundStatus.PENDING)) | (
    (refunds.c.status == constant(RefundStatus.SUCCEEDED)) & ~refunds.c.is_announced
)
IS_PENDING_AT_GATEWAY = (refunds.c.status == constant(RefundStatus.PENDING)) & (
    refunds.c.gateway_reference.is_not(None)
)
_ENDING = ("status", "error_code", "error_message", "processed_at", "gateway_reference")
_CLAIM = insert(refunds).on_conflict_do_nothing()
_END = (
    update(refunds)
    .where(refunds.c.id == bindparam("refund_id"), refunds.c.status == RefundStatus.PENDING)
    .values({name: bindparam(name) for name in _ENDING})
)
_SET_REFERENCE = (
    update(refunds)
    .where(refunds.c.id == bindparam("refund_id"), refunds.c.status == RefundStatus.PENDING)
    .values(gateway_reference=bindparam("reference"))
)
_SET_FAILED_LATER = (
    update(refunds)
    .where(
        refunds.c.id == bindparam("refund_id"),
        refunds.c.status == RefundStatus.SUCCEEDED,
        refunds.c.failed_later_at.is_(None),
    )
    .values(failed_later_at=bindparam("at"))
)
_SET_PUBLISHED = (
    update(refunds).where(refunds.c.id == bindparam("refund_id")).values(is_announced=True)
)
EVERY_REFUND = select(
    refunds,
    payments.c.order_id,
    payments.c.customer_id,
    payments.c.currency,
    payments.c.currency_exponent,
    payments.c.gateway,
    payments.c.gateway_reference.label("charge_reference"),
).join_from(refunds, payments)
_BY_ID = EVERY_REFUND.where(refunds.c.id == bindparam("refund_id"))
_OF_PAYMENT = EVERY_REFUND.where(refunds.c.payment_id == bindparam("payment_id")).order_by(
    refunds.c.created_at, refunds.c.id
)
_UNFINISHED = EVERY_REFUND.where(IS_UNFINISHED, refunds.c.created_at < bindparam("moment"))


class RefundStore:
    """Implements `Refunds` of the activities and of the API with PostgreSQL.

    Every method is safe to repeat. It raises only PaymentError: DATABASE_UNAVAILABLE if the
    outcome is unknown, another code if PostgreSQL refused.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, refund_id: UUID) -> Refund | None:
        row = await fetch(self._engine, _BY_ID, {"refund_id": refund_id})
        return to_refund(row) if row else None

    async def of_payment(self, payment_id: UUID) -> Sequence[Refund]:
        """The refunds of a payment, oldest first."""
        rows = await fetch_all(self._engine, _OF_PAYMENT, {"payment_id": payment_id})
        return [to_refund(row) for row in rows]

    async def unfinished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Refund]]:
        values = {"moment": moment}
        async for rows in pages(
            self._engine, _UNFINISHED, refunds.c.created_at, values, after=after
        ):
            yield readable(to_refund, rows)

    async def record_pending(self, refund: Refund, run_id: str | None = None) -> Refund:
        try:
            is_new = await execute(self._engine, _CLAIM, _to_row(refund) | first_run(run_id)) == 1
        except PaymentError as error:
            if error.code is ErrorCode.RECORD_REFUSED:
                raise PaymentError(
                    ErrorCode.REFUND_TOO_LARGE, "The refund is more than what is left to refund."
                ) from error
            raise
        if run_id and not is_new:
            values = {"refund_id": refund.id, "run_id": run_id}
            await execute(self._engine, ADD_RUN_OF_REFUND, values)
        return await self._recorded(refund)

    async def record_ended(self, refund: Refund) -> None:
        values = {"refund_id": refund.id} | {name: getattr(refund, name) for name in _ENDING}
        if await execute(self._engine, _END, values) == 0:
            recorded = await self._recorded(refund)
            if recorded.status is not refund.status:
                raise PaymentError(
                    ErrorCode.RECORD_REFUSED, f"The refund is {recorded.status} already."
                )

    async def record_reference(self, refund: Refund) -> None:
        values = {"refund_id": refund.id, "reference": refund.gateway_reference}
        await execute(self._engine, _SET_REFERENCE, values)

    async def record_failed_later(self, refund: Refund) -> None:
        values = {"refund_id": refund.id, "at": refund.failed_later_at}
        await execute(self._engine, _SET_FAILED_LATER, values)

    async def record_announced(self, refund: Refund) -> None:
        await execute(self._engine, _SET_PUBLISHED, {"refund_id": refund.id})

    async def _recorded(self, refund: Refund) -> Refund:
        found = await self.find(refund.id)
        if found is None:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "The refund has no record.")
        return found


def _to_row(refund: Refund) -> dict[str, Any]:
    row = {name: value for name, value in refund if name in refunds.c}
    return {**row, "amount_minor": refund.amount.minor_units}


def to_refund(row: Row) -> Refund:
    return Refund.model_validate({**row, "amount": to_money(row)})
