"""The time now, and its text in JSON."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


def unix_seconds() -> int:
    """The time now as Stripe writes it: whole seconds since 1970."""
    return int(utc_now().timestamp())


def iso_utc(time: datetime) -> str:
    """ISO 8601 in UTC, with microseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
