"""The interfaces of the use cases to PostgreSQL, Redis and Temporal. Tests use fakes instead.

A method that needs PostgreSQL raises PaymentError(DATABASE_UNAVAILABLE) while PostgreSQL does not
respond. A method that needs Temporal raises PaymentError(SERVICE_UNAVAILABLE) in the same way.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from db.idempotency import KeyClaim
from db.search import Search
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from domain.refund import Refund


class RunningPayment(NamedTuple):
    """A payment whose workflow is running, or has just ended."""

    payment_id: UUID
    wait_for_end: Callable[[], Awaitable[Payment | None]]
    """Returns the payment as it has ended; None if that takes too long or cannot be read."""


class Payments(Protocol):
    """The recorded payments."""

    async def find(self, payment_id: UUID) -> Payment | None: ...

    async def find_live(self, order_id: UUID) -> Payment | None:
        """The payment of the order that is pending or has succeeded; None if there is none."""
        ...

    async def find_closing(self, order_id: UUID) -> Payment | None:
        """The failed payment that closes the order; None if there is none."""
        ...


class Refunds(Protocol):
    """The recorded refunds."""

    async def find(self, refund_id: UUID) -> Refund | None: ...

    async def of_payment(self, payment_id: UUID) -> Sequence[Refund]:
        """The refunds of the payment, the oldest first."""
        ...


class PaymentList(Protocol):
    """Lists of payments."""

    async def page(self, wanted: Search, limit: int) -> Sequence[Payment]:
        """At most `limit` payments that match, the newest first."""
        ...


class IdempotencyKeys(Protocol):
    """Which payment belongs to each `Idempotency-Key` of a caller."""

    async def claim(self, wanted: KeyClaim) -> KeyClaim:
        """Record the claim, unless an earlier request has claimed the key.

        Returns the claim that is recorded: `wanted`, or the earlier one.
        """
        ...

    async def reassign(self, claim: KeyClaim, payment_id: UUID) -> None:
        """Record that the key now belongs to another payment."""
        ...


class PaymentCache(Protocol):
    """A cache of payments that can no longer change. Its methods raise nothing."""

    async def get(self, payment_id: UUID) -> Payment | None: ...

    async def put(self, payment: Payment) -> None: ...


class Allowance(NamedTuple):
    """A caller's rate limit, and what is left of the current window."""

    is_exceeded: bool
    requests: int
    """How many requests a window allows."""
    seconds: int
    """The length of a window."""
    left: int
    """How many requests are left."""
    reset_seconds: int
    """Seconds until the window ends; at least 1."""


class RateLimit(Protocol):
    """How many requests a caller may send. Raises nothing."""

    async def count(self, caller: str) -> Allowance:
        """Count one request of the caller."""
        ...


class PaymentWorkflows(Protocol):
    """The workflows of payments."""

    async def start_or_join(self, instruction: PaymentInstruction) -> RunningPayment:
        """Start the payment. If the same payment of this order is running already, join that one.

        Raises PaymentError(PAYMENT_IN_PROGRESS) if a different payment of the order is running.
        """
        ...

    async def cancel(self, payment: Payment) -> None:
        """Request to cancel this payment. Another payment of the same order is not cancelled."""
        ...


class RefundWorkflows(Protocol):
    """The workflows of refunds."""

    async def refund(self, refund: Refund) -> Refund | None:
        """Make the refund, or join a running one, and wait for its end.

        Returns None if that takes too long or cannot be read.
        """
        ...
