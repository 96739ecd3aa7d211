"""Reads all rows of a query page by page."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Column, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import Row, Values, fetch_all
from domain.reconciliation import RowPosition

PAGE_SIZE = 500
"""Rows per statement: less than a megabyte. Chosen, not measured."""
_BEFORE_ALL = RowPosition(datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))

Read = TypeVar("Read")

log = logging.getLogger(__name__)


async def pages(
    engine: AsyncEngine,
    query: Select[Any],
    moment: Column[datetime],
    values: Values,
    size: int = PAGE_SIZE,
    after: RowPosition | None = None,
) -> AsyncIterator[Sequence[Row]]:
    """Run the query page by page, oldest first, ordered by `moment` and the id of its table.

    With `after`, the first page begins with the row that follows this position. Each page is a
    statement of its own. `size` is the number of rows per page.
    """
    order = (moment, moment.table.c.id)
    ordered = query.order_by(*order).limit(size)
    after = after or _BEFORE_ALL
    while rows := await fetch_all(engine, ordered.where(tuple_(*order) > tuple_(*after)), values):
        yield rows
        after = RowPosition(rows[-1][moment.name], rows[-1]["id"])


def readable(read: Callable[[Row], Read], rows: Sequence[Row]) -> Sequence[Read]:
    """Convert the rows with `read`. A row that cannot be converted is logged and left out."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except ValueError:
            log.exception("the row of %s cannot be read", row["id"])
    return found
