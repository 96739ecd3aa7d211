"""The interfaces of webhooks: their handlers, and the workflows that they signal or start."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from domain.dispute import Dispute
from domain.payment import Payment
from domain.refund import Refund
from domain.stray_attempt import StrayAttempt


class RefusedWebhookError(Exception):
    """The webhook is refused. Sending it again does not help. The message is for the log."""


class ForgedWebhookError(RefusedWebhookError):
    """The signature is missing or wrong, or its time is too far from that of our clock."""


class SentHeaders(Protocol):
    def getlist(self, key: str) -> Sequence[str]:
        """All values of this header."""
        ...


class TakeWebhook(Protocol):
    async def __call__(self, headers: SentHeaders, body: bytes) -> None:
        """Process one webhook. Returns when Temporal has accepted its signal or start, if any.

        Raises RefusedWebhookError, ForgedWebhookError, and PaymentError(SERVICE_UNAVAILABLE) or
        PaymentError(DATABASE_UNAVAILABLE) if the gateway must send it again.
        """
        ...


Webhooks = Mapping[str, TakeWebhook]
"""The webhook handler of each configured gateway. The key is the gateway's name."""


class WebhookWorkflows(Protocol):
    """Signals and starts workflows.

    Each method raises PaymentError(SERVICE_UNAVAILABLE) if Temporal does not respond.
    """

    async def look_again(self, payment_id: UUID, order_id: UUID) -> bool:
        """Signal the running workflow of this payment to look again. False if none is running.

        Another payment of the same order gets no signal, and nothing is started.
        """
        ...

    async def look_at_refund_again(self, refund_id: UUID) -> bool:
        """Signal the workflows that make and watch the refund. False if none is running."""
        ...

    async def resume(self, payment: Payment) -> bool:
        """Start the lost workflow of a payment again. False if one of its order is running."""
        ...

    async def undo(self, stray: StrayAttempt) -> None:
        """Start the workflow that undoes this attempt, unless it is running."""
        ...

    async def watch_refund(self, refund: Refund) -> None:
        """Start the workflow that checks whether this successful refund has failed later."""
        ...

    async def watch(self, dispute: Dispute) -> None:
        """Start the workflow that shows operators the dispute. If it is running, signal it."""
        ...
