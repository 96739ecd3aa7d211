"""A fake of the workflows that webhooks signal or start."""

from dataclasses import dataclass, field
from uuid import UUID

from api.webhooks.ports import WebhookWorkflows
from domain.dispute import Dispute
from domain.errors import PaymentError
from domain.payment import Payment
from domain.refund import Refund
from domain.stray_attempt import StrayAttempt


@dataclass
class FakeWebhookWorkflows(WebhookWorkflows):
    """Records the signals and the starts. Tests set which workflows run."""

    running: set[UUID] = field(default_factory=set)
    """The payments and refunds whose workflow runs."""
    failure: PaymentError | None = None
    """The error that every call raises; None if the calls succeed."""
    asked: list[tuple[UUID, UUID]] = field(default_factory=list)
    """The ids of payment and order of each lookup of a running workflow."""
    signalled: list[UUID] = field(default_factory=list)
    resumed: list[Payment] = field(default_factory=list)
    undone: list[StrayAttempt] = field(default_factory=list)
    refunds_watched: list[Refund] = field(default_factory=list)
    watched: list[Dispute] = field(default_factory=list)

    async def look_again(self, payment_id: UUID, order_id: UUID) -> bool:
        self.asked.append((payment_id, order_id))
        return self._signal(payment_id)

    async def look_at_refund_again(self, refund_id: UUID) -> bool:
        return self._signal(refund_id)

    async def resume(self, payment: Payment) -> bool:
        self._fail()
        if payment.order_id in self.running:
            return False
        self.resumed.append(payment)
        return True

    async def undo(self, stray: StrayAttempt) -> None:
        self._fail()
        self.undone.append(stray)

    async def watch_refund(self, refund: Refund) -> None:
        self._fail()
        self.refunds_watched.append(refund)

    async def watch(self, dispute: Dispute) -> None:
        self._fail()
        self.watched.append(dispute)

    def _signal(self, one: UUID) -> bool:
        self._fail()
        if one in self.running:
            self.signalled.append(one)
        return one in self.running

    def _fail(self) -> None:
        if self.failure:
            raise self.failure
