"""The time now, and its text in JSON."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


def unix_seconds() -> int:
    """The present time in whole seconds since 1970, as Stripe writes times."""
    return int(utc_now().timestamp())


def iso_utc(time: datetime) -> str:
    """ISO 8601 in UTC, with microseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
