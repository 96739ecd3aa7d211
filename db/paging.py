"""Reading everything that a query finds, the oldest rows first, a page at a time."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, bindparam, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import Row, fetch_all

PAGE_SIZE = 500
"""Rows read at a time: well under a megabyte. Chosen, not measured."""
_BEFORE_ALL = {"after_time": datetime(1, 1, 2, tzinfo=UTC), "after_id": UUID(int=0)}


def oldest_first(query: Select[Any], table: Table) -> Select[Any]:
    """The next page of the rows that were created before `moment` (a bind parameter)."""
    place = tuple_(table.c.created_at, table.c.id)
    return (
        query.where(
            table.c.created_at < bindparam("moment"),
            place > tuple_(bindparam("after_time"), bindparam("after_id")),
        )
        .order_by(table.c.created_at, table.c.id)
        .limit(PAGE_SIZE)
    )


async def pages(
    engine: AsyncEngine, query: Select[Any], moment: datetime
) -> AsyncIterator[Sequence[Row]]:
    """Every page of a query made with `oldest_first`. Rows may change while they are read."""
    place = _BEFORE_ALL
    while rows := await fetch_all(engine, query, {"moment": moment, **place}):
        yield rows
        place = {"after_time": rows[-1]["created_at"], "after_id": rows[-1]["id"]}
