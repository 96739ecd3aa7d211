"""Finds payments, newest first, page by page."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from db.payment_rows import to_payment
from db.payments import IS_PENDING
from db.statements import constant, fetch_all
from db.tables import payments
from domain.payment import Announcement, Payment, PaymentStatus

_columns = payments.c
_POSITION = tuple_(_columns.created_at, _columns.id)
_IS_DUE = _columns.announcement == constant(Announcement.DUE)
_IS_SUCCEEDED = _columns.status == constant(PaymentStatus.SUCCEEDED)
_SHOWN_AS = {
    PaymentStatus.PENDING: IS_PENDING | (_IS_SUCCEEDED & _IS_DUE),
    PaymentStatus.SUCCEEDED: _IS_SUCCEEDED & ~_IS_DUE,
    PaymentStatus.FAILED: _columns.status == constant(PaymentStatus.FAILED),
}
"""The status that callers see: pending while a success may be undone. The same rule as in
`Payment.as_shown_to_callers`. Each status has a partial index with this condition."""


class Position(NamedTuple):
    """The position of a payment in the list. New payments do not change it."""

    created_at: datetime
    id: UUID


class Search(NamedTuple):
    """The filters of a search. A filter that is None is not applied.

    `owner_id` is the only customer whose payments the caller may see; `customer_id` is a filter
    that the caller chose. `created_from` is inclusive, `created_before` is exclusive.
    """

    owner_id: UUID | None = None
    order_id: UUID | None = None
    customer_id: UUID | None = None
    status: PaymentStatus | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    after: Position | None = None


class PaymentSearch:
    """Searches the payments. Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, wanted: Search, limit: int) -> Sequence[Payment]:
        """At most `limit` payments after the position `wanted.after`."""
        query = (
            select(payments)
            .where(*_conditions(wanted))
            .order_by(_columns.created_at.desc(), _columns.id.desc())
            .limit(limit)
        )
        return [to_payment(row) for row in await fetch_all(self._engine, query, {})]


def _conditions(wanted: Search) -> Iterator[ColumnElement[bool]]:
    for column, value in (
        (_columns.customer_id, wanted.owner_id),
        (_columns.order_id, wanted.order_id),
        (_columns.customer_id, wanted.customer_id),
    ):
        if value is not None:
            yield column == value
    if wanted.status is not None:
        yield _SHOWN_AS[wanted.status]
    if wanted.created_from is not None:
        yield _columns.created_at >= wanted.created_from
    if wanted.created_before is not None:
        yield _columns.created_at < wanted.created_before
    if wanted.after is not None:
        yield tuple_(*wanted.after) > _POSITION
