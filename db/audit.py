"""The queries of the audit: payments, refunds and their statuses. Nothing is written."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import Column, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from db.paging import pages
from db.payment_rows import to_payment
from db.payments import IS_PENDING, IS_UNPUBLISHED
from db.reconciliation import ReconciliationRounds
from db.refunds import EVERY_REFUND, IS_UNFINISHED, to_refund
from db.statements import Row, fetch_all
from db.tables import payment_transitions, payments, refunds
from domain.payment import Payment
from domain.refund import Refund

PAGE_SIZE = 5000
"""Rows per statement: few enough for its time limit of 3 s. Chosen, not measured."""

_PAYMENT = select(payments.c.order_id, payments.c.id, payments.c.created_at)
_REFUND = select(
    payments.c.order_id, refunds.c.id, refunds.c.created_at, refunds.c.processed_at
).join_from(refunds, payments)
_PAYMENTS_SINCE = _PAYMENT.where(payments.c.created_at >= bindparam("moment"))
_REFUNDS_SINCE = _REFUND.where(refunds.c.processed_at >= bindparam("moment"))
_PENDING_PAYMENTS = _PAYMENT.where(IS_PENDING)
_UNPUBLISHED_PAYMENTS = _PAYMENT.where(IS_UNPUBLISHED)
_UNFINISHED_REFUNDS = _REFUND.where(IS_UNFINISHED)
_OF_ORDERS = payments.c.order_id.in_(bindparam("orders", expanding=True))
_PAYMENTS_OF_ORDERS = select(payments).where(_OF_ORDERS).order_by(payments.c.created_at)
_REFUNDS_OF_ORDERS = EVERY_REFUND.where(_OF_ORDERS).order_by(refunds.c.created_at)
_STATUSES_OF_ORDERS = (
    select(payment_transitions.c.payment_id, payment_transitions.c.to_status)
    .join(payments, payments.c.id == payment_transitions.c.payment_id)
    .where(_OF_ORDERS)
    .order_by(payment_transitions.c.recorded_at)
)
_ORDERS_OF_PAYMENTS = _PAYMENT.where(payments.c.id.in_(bindparam("ids", expanding=True)))
_REFUNDS_BY_ORDERS = _REFUND.where(payments.c.order_id.in_(bindparam("ids", expanding=True)))
_ORDERS_OF_REFUNDS = _REFUND.where(refunds.c.id.in_(bindparam("ids", expanding=True)))

Read = TypeVar("Read")


class Unfinished(NamedTuple):
    """Payments and refunds that have not ended or have an unpublished event, and their orders."""

    ids: set[UUID]
    orders: set[UUID]


class UnreadableRow(NamedTuple):
    """A row that is not a valid payment or refund. `finding` has its id and the type of error."""

    order_id: UUID
    finding: str


class AuditQueries:
    """Reads rows for the audit. Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def orders_since(self, moment: datetime) -> set[UUID]:
        """The orders with a payment that was created, or a refund that ended, at `moment` or later.

        A refund that was created since then and has not ended is in `unfinished`.
        """
        orders = set()
        for query, column in (
            (_PAYMENTS_SINCE, payments.c.created_at),
            (_REFUNDS_SINCE, refunds.c.processed_at),
        ):
            async for row in self._rows(query, column, {"moment": moment}):
                orders.add(row["order_id"])
        return orders

    async def unfinished(self) -> Unfinished:
        """All unfinished payments and refunds, however old they are."""
        found = Unfinished(set(), set())
        for query, column in (
            (_PENDING_PAYMENTS, payments.c.created_at),
            (_UNPUBLISHED_PAYMENTS, payments.c.created_at),
            (_UNFINISHED_REFUNDS, refunds.c.created_at),
        ):
            async for row in self._rows(query, column, {}):
                found.ids.add(row["id"])
                found.orders.add(row["order_id"])
        return found

    async def orders_of_payments(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The order of each payment, by payment id. Unknown payments are left out."""
        return await self._orders(_ORDERS_OF_PAYMENTS, list(ids))

    async def orders_of_refunds(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        """The order of each refund, by refund id. Unknown refunds are left out."""
        return await self._orders(_ORDERS_OF_REFUNDS, list(ids))

    async def refunds_by_orders(self, orders: Collection[UUID]) -> dict[UUID, UUID]:
        """The order of each refund of these orders, by refund id."""
        return await self._orders(_REFUNDS_BY_ORDERS, list(orders))

    async def payments_of(self, orders: Collection[UUID]) -> Sequence[Payment | UnreadableRow]:
        rows = await fetch_all(self._engine, _PAYMENTS_OF_ORDERS, {"orders": list(orders)})
        return [_read(to_payment, row, "payment") for row in rows]

    async def refunds_of(self, orders: Collection[UUID]) -> Sequence[Refund | UnreadableRow]:
        rows = await fetch_all(self._engine, _REFUNDS_OF_ORDERS, {"orders": list(orders)})
        return [_read(to_refund, row, "refund") for row in rows]

    async def statuses_of(self, orders: Collection[UUID]) -> dict[UUID, list[str]]:
        """Each payment's statuses, oldest first, by payment id."""
        statuses: dict[UUID, list[str]] = {}
        for row in await fetch_all(self._engine, _STATUSES_OF_ORDERS, {"orders": list(orders)}):
            statuses.setdefault(row["payment_id"], []).append(row["to_status"])
        return statuses

    async def last_completed_round(self) -> datetime | None:
        return await ReconciliationRounds(self._engine).last_completed()

    async def _rows(
        self, query: Select[Any], moment: Column[datetime], values: dict[str, Any]
    ) -> AsyncIterator[Row]:
        async for page in pages(self._engine, query, moment, values, PAGE_SIZE):
            for row in page:
                yield row

    async def _orders(self, query: Select[Any], ids: list[UUID]) -> dict[UUID, UUID]:
        found: dict[UUID, UUID] = {}
        for first in range(0, len(ids), PAGE_SIZE):
            some = {"ids": ids[first : first + PAGE_SIZE]}
            rows = await fetch_all(self._engine, query, some)
            found |= {row["id"]: row["order_id"] for row in rows}
        return found


def _read(read: Callable[[Row], Read], row: Row, kind: str) -> Read | UnreadableRow:
    """Convert the row. An invalid one becomes an UnreadableRow, and the others are still read."""
    try:
        return read(row)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        return UnreadableRow(row["order_id"], f"{kind} {row['id']} ({type(error).__name__})")
