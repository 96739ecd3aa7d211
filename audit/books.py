"""What everybody has written down about one order: the books that must agree.

Each source is read as it stands and nothing is derived from another: the invariants compare.
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


class Answer(NamedTuple):
    """What a caller was told over HTTP: the status, and the payment that the answer showed."""

    status: int
    payment_id: UUID | None
    payment_status: str | None
    code: str | None = None
    asked_at: float = 0.0
    answered_at: float = 0.0
    """Seconds of the caller's clock, which never goes back."""


class Reconciliation(NamedTuple):
    """When the last round of the reconciliation was completed, and when that was read."""

    completed_at: datetime | None
    read_at: datetime


@dataclass
class Books:
    """Everything known about one order. Sources that were not read are None or empty.

    `order_id` is None for the books of the service itself: what names no order that anybody knows,
    and how the reconciliation does.
    """

    order_id: UUID | None
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    transitions: Mapping[UUID, Sequence[str]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    runs: list[WorkflowRun] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    order: OrderState | None = None
    reconciliation: Reconciliation | None = None
    unreadable: list[str] = field(default_factory=list)
    """What could not be read, and why, without the text itself."""
    events_since: datetime | None = None
    """Kafka may have deleted events of endings before this; None if it has deleted nothing."""

    @property
    def is_empty(self) -> bool:
        read = (self.payments, self.refunds, self.effects, self.records, self.runs)
        return not any((*read, self.answers, self.reconciliation, self.unreadable))
