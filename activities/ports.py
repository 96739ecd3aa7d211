"""Interfaces of everything outside this process that the activities use.

`adapters/` and `db/` implement them. A method raises no other error than PaymentError: with a
retryable code if the outcome is unknown, with another code if the failure is final.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from activities.gateway_ports import PaymentGateway
from domain.claim import Claim
from domain.customer_action import Wait
from domain.events import Event
from domain.payment import Payment
from domain.reconciliation import RowPosition
from domain.refund import Refund
from domain.verification import Order, Reservation


class Ordering(Protocol):
    """The service that keeps the orders. May raise PaymentError(ORDERING_UNAVAILABLE)."""

    async def fetch_order(self, order_id: UUID) -> Order:
        """The order. Raises PaymentError(ORDER_NOT_FOUND) if there is none."""
        ...


class Inventory(Protocol):
    """The service that holds seats. May raise PaymentError(INVENTORY_UNAVAILABLE)."""

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        """The reservation. Raises PaymentError(RESERVATION_NOT_ACTIVE) if there is none."""
        ...


class StartInputs(Protocol):
    """The inputs with which Temporal has started workflows. A token is stored only there."""

    async def token_of(self, workflow_id: str, run_id: str, payment_id: UUID) -> str | None:
        """The token of the payment, read from the input of this workflow run.

        It is None if the input has no token, or if the input is that of another payment.
        Raises PaymentError(SERVICE_UNAVAILABLE) while Temporal does not respond.
        """
        ...


class Payments(Protocol):
    """The payments in PostgreSQL. A status changes only as `domain.payment.TRANSITIONS` allows.

    `run_id` is Temporal's id of the workflow run that the call is made for. With None, no run is
    recorded. Every method may raise PaymentError: DATABASE_UNAVAILABLE if the outcome is unknown,
    RECORD_REFUSED if the database refuses the change.
    """

    async def find(self, payment_id: UUID) -> Payment | None:
        """The recorded payment; None if it has no row."""
        ...

    async def record_pending(self, payment: Payment, run_id: str | None = None) -> Claim:
        """Claim the order for this payment, and record `run_id` among the payment's runs.

        It is also recorded among those of an earlier payment that paid the order, if this run has
        to publish it. Returns the recorded payment, or that earlier one. Raises
        PaymentError: PAYMENT_IN_PROGRESS while another payment holds the order, ORDER_NOT_PENDING
        if a published failure closes the order, CUSTOMER_MISMATCH if that failure belongs to
        another customer.
        """
        ...

    async def record_reference(self, payment_id: UUID, reference: str) -> Payment:
        """Record the reference of a pending payment that has none and is not being undone.

        Returns the recorded payment, whose reference is the one to use. Raises
        PaymentError(RECORD_REFUSED) also if the payment has no row.
        """
        ...

    async def record_wait(self, payment_id: UUID, wait: Wait) -> Payment:
        """Record that a pending payment waits for its customer, unless it is being undone.

        Returns the recorded payment. The first wait is kept, because customers know its end.
        Raises PaymentError(RECORD_REFUSED) also if the payment has no row.
        """
        ...

    async def record_succeeded(self, payment: Payment) -> Payment | None:
        """Move the payment from pending to succeeded.

        Returns None if this call has moved it. If an earlier try has, returns the recorded payment,
        whose `processed_at` may differ.
        """
        ...

    async def record_compensation(self, payment: Payment) -> Payment:
        """Record that the payment is being undone. After that, no run can record its success.

        Does nothing if the payment has failed, or if publishing its success has begun. If its event
        may have been sent, records that publishing has begun instead. Returns the recorded payment.
        """
        ...

    async def record_unsent(self, payment: Payment) -> bool:
        """Record that no try has sent the event of the success, so that it may be undone.

        Returns False and does nothing if another try has recorded that publishing begins. Every try
        that may not be the first does that before it sends.
        """
        ...

    async def record_failed(self, payment: Payment, run_id: str | None = None) -> None:
        """Move the payment to failed from pending or succeeded, or insert it as failed.

        `run_id` is recorded only with the insert: other rows have it from `record_pending`.
        """
        ...

    async def record_announcement(self, payment: Payment) -> None:
        """Record the payment's `announcement` and `released_reservation_id`.

        Does nothing if the recorded status differs, if the payment is being undone, or if its event
        is already recorded as published.
        """
        ...

    def pending_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        """Pages of the pending payments created before `moment`, oldest first.

        With `after`, the pages begin with the payment that follows this position.
        """
        ...

    def unpublished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        """Like `pending_before`, for payments whose event is not published."""
        ...


class Refunds(Protocol):
    """The refunds in PostgreSQL. Their sum is never more than the payment has captured.

    Every method may raise PaymentError: DATABASE_UNAVAILABLE if the outcome is unknown,
    RECORD_REFUSED if the database refuses the change.
    """

    async def record_pending(self, refund: Refund, run_id: str | None = None) -> Refund:
        """Reserve the amount, and record `run_id` among the refund's runs, as `Payments` does.

        Returns the recorded refund. Raises PaymentError(REFUND_TOO_LARGE) if less than the amount
        is left to refund.
        """
        ...

    async def record_ended(self, refund: Refund) -> None:
        """Move the refund from pending to succeeded, or to failed, which releases the amount."""
        ...

    async def record_reference(self, refund: Refund) -> None:
        """Record the `gateway_reference` of a refund that is pending at its gateway."""
        ...

    async def record_failed_later(self, refund: Refund) -> None:
        """Record `failed_later_at` of a refund that has succeeded. The first time is kept."""
        ...

    async def record_announced(self, refund: Refund) -> None:
        """Record that the refund's event is published."""
        ...

    def unfinished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Refund]]:
        """Like `Payments.pending_before`, for refunds that are pending or not published."""
        ...


class Rounds(Protocol):
    """The record in PostgreSQL of the reconciliation's rounds."""

    async def record_completed(self) -> None:
        """Record that a round has looked at every unfinished payment and refund."""
        ...


class WorkflowStarter(Protocol):
    """Starts new workflows for lost ones. Both methods return False if a workflow is running."""

    async def resume(self, payment: Payment) -> bool:
        """Start a workflow that finishes the payment, unless one is running."""
        ...

    async def resume_refund(self, refund: Refund) -> bool:
        """Start a workflow that finishes the refund, unless one is running."""
        ...


class EventPublisher(Protocol):
    async def publish(self, event: Event) -> None:
        """Return when the broker has stored the event, at least once.

        Raises PaymentError: EVENT_REFUSED if the broker will never store it, EVENTS_UNAVAILABLE if
        it is unknown whether it did.
        """
        ...


class Ports(NamedTuple):
    """The implementations of all interfaces that one process uses."""

    ordering: Ordering
    inventory: Inventory
    gateways: Mapping[str, PaymentGateway]
    """By name, as payments record it."""
    start_inputs: StartInputs
    payments: Payments
    refunds: Refunds
    publisher: EventPublisher
    workflows: WorkflowStarter
    rounds: Rounds
