"""Counts unfinished payments and refunds."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from db.payments import IS_PENDING, IS_UNPUBLISHED
from db.refunds import IS_PENDING_AT_GATEWAY, IS_UNFINISHED
from db.statements import constant, fetch_all
from db.tables import payments, refunds
from domain.backlog import Unfinished, UnfinishedKind

MAX_COUNTED = 1000
"""The most rows of one kind that are counted: after a long outage there may be millions. The age of
the oldest says more than their number. Chosen, not measured."""
_NOW = func.clock_timestamp()


def _count(
    kind: UnfinishedKind,
    since: ColumnElement[Any],
    created_at: Column[Any],
    condition: ColumnElement[bool],
) -> Select[Any]:
    """The query that counts the rows with this condition, and computes the age of the oldest.

    A row has been unfinished since the time in the column or expression `since`.
    """
    rows = (
        select(since.label("since"))
        .where(condition)
        .order_by(created_at)
        .limit(MAX_COUNTED)
        .subquery()
    )
    age = (_NOW - func.min(rows.c.since)).label("age")
    return select(constant(kind).label("kind"), func.count().label("count"), age).select_from(rows)


_WAITED = func.greatest(payments.c.created_at, payments.c.waits_until)
_ENDED = func.coalesce(payments.c.processed_at, payments.c.created_at)
_READ = union_all(
    _count(
        UnfinishedKind.PENDING,
        _WAITED,
        payments.c.created_at,
        IS_PENDING & (_WAITED <= _NOW),
    ),
    _count(UnfinishedKind.UNPUBLISHED, _ENDED, payments.c.created_at, IS_UNPUBLISHED),
    _count(
        UnfinishedKind.REFUNDS,
        func.coalesce(refunds.c.processed_at, refunds.c.created_at),
        refunds.c.created_at,
        IS_UNFINISHED & ~IS_PENDING_AT_GATEWAY,
    ),
    _count(
        UnfinishedKind.REFUNDS_AT_GATEWAY,
        refunds.c.created_at,
        refunds.c.created_at,
        IS_UNFINISHED & IS_PENDING_AT_GATEWAY,
    ),
)


class BacklogCounts:
    """Counts unfinished payments and refunds. Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self) -> Sequence[Unfinished]:
        """The numbers and ages of all kinds. They are read with one statement."""
        rows = await fetch_all(self._engine, _READ, {})
        return [
            Unfinished(UnfinishedKind(row["kind"]), row["count"], row["age"] or timedelta())
            for row in rows
        ]
