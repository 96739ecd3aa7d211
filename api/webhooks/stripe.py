"""Webhooks of Stripe: which are accepted, and what each of them leads to.

An event only says which object may have changed. The workflow that gets the signal reads the state
at Stripe. Therefore events may be late, lost, sent twice, or in a wrong order.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import structlog
from pydantic import SecretStr

from api.ports import Payments, Refunds
from api.webhooks.ports import (
    ForgedWebhookError,
    RefusedWebhookError,
    SentHeaders,
    WebhookWorkflows,
)
from api.webhooks.signature import objection
from api.webhooks.stripe_events import Event, Subject, UnreadableEventError, read_event
from domain import names
from domain.dispute import Dispute
from domain.gateways import GatewayName
from domain.payment import Payment
from domain.stray_attempt import StrayAttempt

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What an event has led to."""

    SIGNALLED = "its workflow looks again"
    RESUMED = "its workflow was lost, and is resumed"
    STRAY = "an attempt of an ended payment is looked up"
    DISPUTED = "the dispute is shown to operators"
    NOTHING = "nothing is to be done"
    NOT_OURS = "it is not about a payment of ours"
    NO_PAYMENT = "there is no such payment"


@dataclass(frozen=True)
class StripeWebhook:
    """Implements `TakeWebhook` with the secrets of one endpoint of one account."""

    payments: Payments
    refunds: Refunds
    workflows: WebhookWorkflows
    secrets: Sequence[SecretStr]
    livemode: bool
    """Whether the payments here move real money."""
    now: Callable[[], float] = time.time

    async def __call__(self, headers: SentHeaders, body: bytes) -> None:
        signatures = headers.getlist("stripe-signature")
        wrong = objection(signatures, body, self.secrets, self.now())
        if wrong is not None:
            raise ForgedWebhookError(wrong)
        try:
            event = read_event(body)
        except UnreadableEventError as error:
            raise RefusedWebhookError(str(error)) from None
        if event.livemode is not self.livemode:
            raise RefusedWebhookError(f"{event.id} is of another mode (test or live)")
        if event.account is not None:
            raise RefusedWebhookError(f"{event.id} is of a connected account")
        outcome = await self._follow(event)
        is_alarming = outcome is Outcome.NO_PAYMENT and event.may_mean_money
        level = logging.WARNING if is_alarming else logging.INFO
        kind = event.type if event.kind else "other"
        log.log(level, "webhook %s, %s: %s", event.id, kind, outcome)

    async def _follow(self, event: Event) -> Outcome:
        subject = event.subject
        if subject is None:
            return Outcome.NOTHING
        if event.kind == "dispute":
            return await self._follow_dispute(subject)
        if event.kind == "refund":
            return await self._follow_refund(event, subject)
        return await self._follow_charge(event, subject)

    async def _follow_charge(self, event: Event, subject: Subject) -> Outcome:
        metadata = subject.metadata or {}
        payment_id = names.payment_of(metadata.get("key", ""))
        order_id = names.parsed_id(metadata.get("order_id", ""))
        if payment_id is None or order_id is None:
            return Outcome.NOT_OURS
        _log_with(payment_id, order_id)
        if await self.workflows.look_again(payment_id, order_id):
            return Outcome.SIGNALLED
        payment = await self.payments.find(payment_id)
        if payment is None or payment.order_id != order_id:
            return Outcome.NO_PAYMENT
        return await self._follow_not_running(event, subject, payment)

    async def _follow_refund(self, event: Event, subject: Subject) -> Outcome:
        key = (subject.metadata or {}).get("key", "")
        refund_id = names.requested_refund_of(key)
        if refund_id is not None:
            return await self._follow_requested_refund(event, refund_id)
        payment_id = names.undone_payment_of(key)
        if payment_id is None:
            return Outcome.NOT_OURS
        payment = await self.payments.find(payment_id)
        if payment is None:
            return Outcome.NO_PAYMENT
        _log_with(payment.id, payment.order_id)
        if await self.workflows.look_again(payment.id, payment.order_id):
            return Outcome.SIGNALLED
        return await self._follow_not_running(event, subject, payment)

    async def _follow_dispute(self, subject: Subject) -> Outcome:
        if subject.payment_intent is None:
            return Outcome.NOT_OURS
        await self.workflows.watch(
            Dispute(
                gateway=GatewayName.STRIPE, reference=subject.id, attempt=subject.payment_intent
            )
        )
        return Outcome.DISPUTED

    async def _follow_requested_refund(self, event: Event, refund_id: UUID) -> Outcome:
        """Signal the workflows of the refund.

        If none is running, and the refund has failed after it had succeeded, its RefundWatch is
        started again. If the refund is pending, the reconciliation starts its workflow.
        """
        if await self.workflows.look_at_refund_again(refund_id):
            return Outcome.SIGNALLED
        if event.type != "refund.failed":
            return Outcome.NOTHING
        refund = await self.refunds.find(refund_id)
        if refund is None or not refund.may_fail_later:
            return Outcome.NOTHING
        _log_with(refund.payment_id, refund.order_id)
        await self.workflows.watch_refund(refund)
        return Outcome.RESUMED

    async def _follow_not_running(
        self, event: Event, subject: Subject, payment: Payment
    ) -> Outcome:
        """What an event leads to if no workflow of its payment is running."""
        if payment.gateway != GatewayName.STRIPE:
            return Outcome.NO_PAYMENT
        if not payment.is_final:
            is_resumed = await self.workflows.resume(payment)
            return Outcome.RESUMED if is_resumed else Outcome.NOTHING
        if not event.may_mean_money or payment.has_succeeded_by(subject.attempt):
            return Outcome.NOTHING
        await self.workflows.undo(
            StrayAttempt(
                payment_id=payment.id,
                order_id=payment.order_id,
                gateway=GatewayName.STRIPE,
                reference=subject.attempt,
            )
        )
        return Outcome.STRAY


def _log_with(payment_id: UUID, order_id: UUID) -> None:
    structlog.contextvars.bind_contextvars(payment_id=str(payment_id), order_id=str(order_id))
