"""The time of the last completed round of the reconciliation."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import execute, fetch
from db.tables import reconciliation

_now = func.clock_timestamp()
_RECORD = (
    insert(reconciliation)
    .values(is_only_row=True, completed_at=_now)
    .on_conflict_do_update(
        index_elements=[reconciliation.c.is_only_row], set_={"completed_at": _now}
    )
)
_LAST = select(reconciliation.c.completed_at)


class ReconciliationRounds:
    """Implements `Rounds` with PostgreSQL. Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def record_completed(self) -> None:
        await execute(self._engine, _RECORD, {})

    async def last_completed(self) -> datetime | None:
        """When the last completed round ended, by PostgreSQL's clock; None if there was none."""
        row = await fetch(self._engine, _LAST, {})
        return row["completed_at"] if row else None
