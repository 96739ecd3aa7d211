"""Numbers of unfinished payments and refunds, for the alerts of operators."""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class UnfinishedKind(StrEnum):
    PENDING = "pending payments"
    """Pending payments, except those that wait for their customer."""
    UNPUBLISHED = "unpublished payments"
    REFUNDS = "refunds"
    """Refunds that are not made or not published, except those that are pending at the gateway."""
    REFUNDS_AT_GATEWAY = "refunds at the gateway"
    """Refunds that the gateway has accepted. It may need days."""


class Unfinished(NamedTuple):
    """How many payments or refunds of one kind are not finished, and how old the oldest is."""

    kind: UnfinishedKind
    number: int
    """Counting stops at a maximum, so that it is always fast."""
    age: timedelta
    """0 if there is none."""
