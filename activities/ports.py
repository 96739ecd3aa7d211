"""The outside world as the activities need it; `adapters/` holds what speaks to the real one.

Every method raises PaymentError, and nothing else, for what can be expected to go wrong: with a
retryable code where nothing is known about the outcome, with another where it is final.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.events import Event
from domain.gateway import Charge, ChargeRequest, RefundRequest, RefundState
from domain.money import Money
from domain.payment import Claim, Payment
from domain.reconciliation import Place
from domain.refund import Refund
from domain.verification import Order, Reservation


class Ordering(Protocol):
    async def fetch_order(self, order_id: UUID) -> Order:
        """Raises PaymentError(ORDER_NOT_FOUND) if there is none."""
        ...


class Inventory(Protocol):
    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        """Raises PaymentError(RESERVATION_NOT_ACTIVE) if there is none."""
        ...


class PaymentGateway(Protocol):
    """A gateway that honours idempotency keys, simulated or real."""

    async def charge(self, request: ChargeRequest) -> Charge:
        """Capture the amount, or repeat the answer given earlier for the same key.

        Raises PaymentError(PROCESSOR_ERROR) if the gateway refuses the request, which may have
        been carried out when it was sent before: `void_charge` tells.
        """
        ...

    async def find_charge(self, key: str, amount: Money) -> Charge | None:
        """The charge under this key as it stands now; None if the gateway does not know the key.

        A charge that is captured is captured for exactly `amount`, and nothing of it is refunded;
        one that is refunded is refunded as a whole. In between, it is not for us to say what
        becomes of it: PaymentError(GATEWAY_UNAVAILABLE), until an operator has seen to it.
        """
        ...

    async def void_charge(self, key: str, amount: Money | None) -> Charge:
        """Make sure that nothing will be captured under this key that has not been already.

        Returns the charge as it finally stands: voided, declined, captured or refunded. `amount`
        is compared as in `find_charge`; None, from an earlier version's payment, is not compared.
        """
        ...

    async def refund(self, request: RefundRequest) -> RefundState:
        """Give back of a captured charge, or repeat the answer given earlier for the same key.

        Raises PaymentError(REFUND_REFUSED) if this request has no effect. One that was sent
        earlier under the same key may still have it.
        """
        ...

    async def find_refund(self, request: RefundRequest) -> RefundState | None:
        """How the refund stands, however long ago it was made; None if the key is not known."""
        ...

    async def has_left(self, request: RefundRequest) -> bool:
        """Whether the charge, as it stands, has so much left that is not refunded."""
        ...


class Payments(Protocol):
    """The record of payments. A payment moves only along `domain.payment.TRANSITIONS`."""

    async def find(self, payment_id: UUID) -> Payment | None:
        """The payment as it is recorded."""
        ...

    async def record_pending(self, payment: Payment) -> Claim:
        """Claim the order for this payment.

        Returns the payment as it is recorded, or the success that paid the order before. Raises
        PaymentError: PAYMENT_IN_PROGRESS while another payment holds the order, ORDER_NOT_PENDING
        if a failure that was published closes the order, CUSTOMER_MISMATCH if that failure is
        another customer's.
        """
        ...

    async def record_succeeded(self, payment: Payment) -> None:
        """Move the payment from pending to succeeded."""
        ...

    async def record_compensation(self, payment: Payment) -> Payment:
        """Record that the payment is being undone, so that no run can record it as a success.

        Returns the payment as it is recorded: with a compensation, or as it has ended.
        """
        ...

    async def record_failed(self, payment: Payment) -> None:
        """Move the payment to failed, whether it was pending, succeeded or never recorded."""
        ...

    async def record_announcement(self, payment: Payment) -> None:
        """Record how far the event of the payment is published, and the reservation that it names.

        Does nothing if the recorded status is another one, if the payment is being undone, or if
        its event is recorded as published.
        """
        ...

    def pending_since(
        self, moment: datetime, after: Place | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        """Pages of all pending payments that were created before `moment`, from `after` on."""
        ...

    def unpublished_since(
        self, moment: datetime, after: Place | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        """Pages of all payments, created before `moment`, whose event is not published."""
        ...


class Refunds(Protocol):
    """The record of refunds. Those of a payment never come to more than it has captured."""

    async def record_pending(self, refund: Refund) -> Refund:
        """Set the amount aside, and answer the refund as it is recorded.

        Raises PaymentError(REFUND_TOO_LARGE) if the payment has not so much left.
        """
        ...

    async def record_ended(self, refund: Refund) -> None:
        """Move the refund from pending to succeeded, or to failed, which frees the amount."""
        ...

    async def record_announced(self, refund: Refund) -> None:
        """Note that the world has been told."""
        ...

    def unfinished_since(
        self, moment: datetime, after: Place | None = None
    ) -> AsyncIterator[Sequence[Refund]]:
        """Pages of all refunds, created before `moment`, that are pending or not published."""
        ...


class Rounds(Protocol):
    async def record_completed(self) -> None:
        """Record that a round of the reconciliation has looked at everything unfinished."""
        ...


class WorkflowStarter(Protocol):
    """False if a workflow carries the payment, or the refund, already."""

    async def resume(self, payment: Payment) -> bool:
        """Take the payment up again."""
        ...

    async def resume_refund(self, refund: Refund) -> bool:
        """Take the refund up again."""
        ...


class EventPublisher(Protocol):
    async def publish(self, event: Event) -> None:
        """Return once the broker holds the event.

        Raises PaymentError(EVENT_REFUSED) if it never will.
        """
        ...


class Ports(NamedTuple):
    """All of the outside world."""

    ordering: Ordering
    inventory: Inventory
    gateway: PaymentGateway
    payments: Payments
    refunds: Refunds
    publisher: EventPublisher
    workflows: WorkflowStarter
    rounds: Rounds
