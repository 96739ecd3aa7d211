"""What PostgreSQL knows of the reconciliation: when a round of it was last completed."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import fetch

_LAST_ROUND = text("SELECT completed_at FROM bc_payment.reconciliation")


async def last_completed_round(engine: AsyncEngine) -> datetime | None:
    """None if no round was ever completed. Raises PaymentError(DATABASE_UNAVAILABLE)."""
    row = await fetch(engine, _LAST_ROUND, {})
    return row["completed_at"] if row else None
