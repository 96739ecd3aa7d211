"""The entries of a payment's timeline, and the sources that have recorded them."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

MAX_RUNS = 50
"""How many workflow runs are recorded for a payment or a refund, the newest ones, and how many are
read for one timeline. Chosen, not measured."""


class Source(StrEnum):
    POSTGRESQL = "postgresql"
    GATEWAY = "gateway"
    TEMPORAL = "temporal"
    KAFKA = "kafka"


class Entry(NamedTuple):
    """Something that a source has recorded. `at` is the time of the source's own clock."""

    at: datetime
    source: Source
    event: str
    detail: str | None = None
