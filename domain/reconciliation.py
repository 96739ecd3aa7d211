"""The reconciliation: where a round continues, and when a round is overdue."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

MAX_ROUND_AGE = timedelta(minutes=5)
"""How old the last completed round may be. A round runs every minute, so after five minutes
something is wrong. Chosen, not measured."""


class RowPosition(NamedTuple):
    """The position of a row. Rows are ordered by creation time, then by id."""

    created_at: datetime
    id: UUID


def overdue(completed_at: datetime | None, now: datetime) -> str | None:
    """A message for the audit and `/ready` if no round was completed lately, else None."""
    if completed_at is None:
        return "no round of the reconciliation was ever completed"
    if now - completed_at > MAX_ROUND_AGE:
        return f"the last completed round of the reconciliation was at {completed_at:%F %T} UTC"
    return None
