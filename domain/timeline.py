"""What happened to a payment, as those tell it who took part."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Source(StrEnum):
    POSTGRESQL = "postgresql"
    GATEWAY = "gateway"
    TEMPORAL = "temporal"
    KAFKA = "kafka"


class Entry(NamedTuple):
    """Something that a source has written down, by its own clock."""

    at: datetime
    source: Source
    event: str
    detail: str | None = None
