"""What the use cases of the API need from PostgreSQL, Redis and Temporal; tests replace it.

Every method raises PaymentError, and nothing else, for what can be expected to go wrong:
DATABASE_UNAVAILABLE while PostgreSQL, SERVICE_UNAVAILABLE while Temporal does not respond.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from db.idempotency import KeyClaim
from db.search import Search
from domain.payment import Payment, PaymentInstruction
from domain.refund import Refund


class RunningPayment(NamedTuple):
    """A payment whose workflow is running, or has just ended."""

    payment_id: UUID
    ended: Callable[[], Awaitable[Payment | None]]
    """The payment at its end; None if that takes too long or cannot be learned now."""


class Payments(Protocol):
    """The recorded payments."""

    async def find(self, payment_id: UUID) -> Payment | None: ...

    async def find_live(self, order_id: UUID) -> Payment | None:
        """The payment of the order that is pending or has succeeded."""
        ...

    async def find_closing(self, order_id: UUID) -> Payment | None:
        """The failed payment that closes the order."""
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
        """At most `limit` payments that fit, the newest first."""
        ...


class IdempotencyKeys(Protocol):
    """Which payment each `Idempotency-Key` of a caller stands for."""

    async def claim(self, wanted: KeyClaim) -> KeyClaim:
        """The claim that holds for the key: `wanted`, or that of an earlier request."""
        ...

    async def reassign(self, claim: KeyClaim, payment_id: UUID) -> None:
        """Let the key stand for another payment."""
        ...


class PaymentCache(Protocol):
    """Payments that can no longer change. Raises nothing."""

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
    """Seconds until there are more; at least 1."""


class RateLimit(Protocol):
    """How many requests a caller may send. Raises nothing."""

    async def count(self, caller: str) -> Allowance:
        """Count one request of the caller."""
        ...


class PaymentWorkflows(Protocol):
    """The workflows of payments."""

    async def start_or_join(self, instruction: PaymentInstruction) -> RunningPayment:
        """Start the payment; if the same payment of this order is running already, that one.

        Raises PaymentError(PAYMENT_IN_PROGRESS) if a different payment of the order is running.
        """
        ...

    async def cancel(self, payment: Payment) -> None:
        """Request that this payment is undone, if it still can be, and no other of its order."""
        ...


class RefundWorkflows(Protocol):
    """The workflows of refunds."""

    async def refund(self, refund: Refund) -> Refund | None:
        """Make the refund, or join it. As it has ended; None if that cannot be learned now."""
        ...
