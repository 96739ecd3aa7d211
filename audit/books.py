"""The books of one order: what every source has recorded about it. The books must agree.

Each source is read as it is, and nothing is derived from another source: the invariants compare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from activities.audit_ports import Effect, OrderState, Record
from domain.payment import Payment
from domain.refund import Refund


class WorkflowRun(NamedTuple):
    """A run of one of the order's workflows. `result` is what it returned, if it completed."""

    run_id: str
    status: str
    result: Payment | Refund | None
    started_at: datetime | None = None


class ApiResponse(NamedTuple):
    """A response that a caller of the API received: its status, and the payment in its body.

    `sent_at` (of the request) and `received_at` are seconds of the caller's monotonic clock.
    """

    status: int
    payment_id: UUID | None
    payment_status: str | None
    code: str | None = None
    sent_at: float = 0.0
    received_at: float = 0.0


class Reconciliation(NamedTuple):
    """When the last round of the reconciliation was completed, and when that was read."""

    completed_at: datetime | None
    read_at: datetime


@dataclass
class Books:
    """Everything known about one order. Sources that were not read are None or empty.

    The books of the service itself have no `order_id`: they hold the state of the reconciliation,
    and everything that belongs to no known order.
    """

    order_id: UUID | None
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    transitions: Mapping[UUID, Sequence[str]] = field(default_factory=dict)
    """Each payment's statuses, oldest first."""
    effects: list[Effect] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    runs: list[WorkflowRun] = field(default_factory=list)
    responses: list[ApiResponse] = field(default_factory=list)
    order: OrderState | None = None
    reconciliation: Reconciliation | None = None
    unreadable: list[str] = field(default_factory=list)
    """What could not be read, and the type of error, without the text itself."""
    events_since: datetime | None = None
    """Kafka may have deleted events that are older; None if it has deleted nothing."""

    @property
    def is_empty(self) -> bool:
        read = (self.payments, self.refunds, self.effects, self.records, self.runs)
        return not any((*read, self.responses, self.reconciliation, self.unreadable))
