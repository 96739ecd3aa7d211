"""Interfaces through which the audit reads the gateway, Ordering and Kafka.

The modules in `adapters/` implement them.

Every method may raise any error of its client library: the audit then stops and names the source.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.money import Money


class Movement(StrEnum):
    """In which direction money moved."""

    CAPTURE = "capture"
    REFUND = "refund"
    RETURN = "return"
    """Money that came back because a refund failed after it had succeeded."""


class Effect(NamedTuple):
    """Money that moved at the gateway under the idempotency key `key`.

    `charge_key` is the key of the charge that was captured or refunded.
    """

    movement: Movement
    key: str
    charge_key: str
    amount: Money

    @property
    def sign(self) -> int:
        """-1 for a refund; 1 for a capture, and for the return of a refund that failed later."""
        return -1 if self.movement is Movement.REFUND else 1


class LedgerEntry(NamedTuple):
    """One entry of the gateway's ledger. A refund names no order: its `order_id` is None."""

    effect: Effect
    order_id: UUID | None
    recorded_at: datetime


class UnreadableEntry(NamedTuple):
    """An entry of the ledger that cannot be read. `finding` names it, and never quotes it."""

    finding: str


class GatewayLedger(Protocol):
    def entries(self) -> AsyncIterator[LedgerEntry | UnreadableEntry]:
        """Every capture and refund, in any order. Entries that move no money are left out."""
        ...


class OrderState(NamedTuple):
    """An order's status, and the id of the payment that paid it, both according to Ordering."""

    status: str
    paid_by: UUID | None


MISSING = "missing"
"""The status of an order that Ordering does not have."""


class OrderStates(Protocol):
    async def find(self, order_id: UUID) -> OrderState:
        """The order's state. Raises ValueError if the response is neither an order nor a 404."""
        ...


class Record(NamedTuple):
    """One record in Kafka. `id` is its header `ce_id`, which copies of an event share."""

    id: str
    topic: str
    key: str
    value: bytes


class FoundRecords(NamedTuple):
    """Records by key, which is the id of the order."""

    by_key: Mapping[str, Sequence[Record]]
    is_complete: bool
    """False if Kafka has deleted old records because of its retention time."""


class EventRecords(Protocol):
    async def find(self, since: datetime, wanted: Collection[str]) -> FoundRecords:
        """All records since `since`, and all older records of the same orders.

        Older records of the `wanted` keys are returned too. All others are skipped, because a topic
        may be larger than memory.
        """
        ...
