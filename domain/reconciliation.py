"""When the reconciliation is overdue, in the same words for the audit and for `/ready`."""

from datetime import datetime, timedelta

ROUNDS_WITHIN = timedelta(minutes=5)
"""A round runs every minute: after five, something keeps it from its end."""


def overdue(completed_at: datetime | None, now: datetime) -> str | None:
    """What is wrong if no round was completed lately, else None."""
    if completed_at is None:
        return "no round of the reconciliation was ever completed"
    if now - completed_at > ROUNDS_WITHIN:
        return f"the last completed round of the reconciliation was at {completed_at:%F %T} UTC"
    return None
