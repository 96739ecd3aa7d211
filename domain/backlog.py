"""What is not finished, as PostgreSQL has it: for operators' alerts."""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class UnfinishedKind(StrEnum):
    PENDING = "pending payments"
    """Without those that wait for their customer."""
    UNPUBLISHED = "unpublished payments"
    REFUNDS = "refunds"
    """Refunds that are not made or not published, without those that are pending at the gateway."""
    REFUNDS_AT_GATEWAY = "refunds at the gateway"
    """Refunds that the gateway has accepted. It may need days."""


class Unfinished(NamedTuple):
    """How many payments or refunds of one kind are not finished, and how old the oldest is."""

    kind: UnfinishedKind
    number: int
    """No more than a maximum is counted, so that it stays fast."""
    age: timedelta
    """0 if there is none."""
