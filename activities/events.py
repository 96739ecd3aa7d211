"""The step that publishes how a payment ended."""

import asyncio
from contextlib import suppress

from temporalio import activity

from activities.ports import EventPublisher, Payments
from activities.unsent_events import UnsentEvents
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement, Payment

BEGUN_AFTER_SECONDS = 1.5
"""Wait for the broker before the row says `begun`: the event may be published. From then on the
payment counts as ended, so a caller gets the response within 3 s even if Kafka is slow. Chosen, not
measured: a healthy broker takes some milliseconds."""


class EventActivities:
    """Publishes the event of a payment that ended."""

    def __init__(self, publisher: EventPublisher, payments: Payments, unsent: UnsentEvents) -> None:
        self._publisher = publisher
        self._payments = payments
        self._unsent = unsent

    @activity.defn
    async def publish_event(self, event: PaymentEvent) -> None:
        """Publish the event, and record that it is published (`made`).

        If that takes longer than BEGUN_AFTER_SECONDS, or fails, it records `begun`. Raises
        PaymentError(EVENTS_UNAVAILABLE), which is retried: consumers may have the event, so the
        ending is final. The exception is a refusal on the first try and before that time: it is not
        recorded, and raises PaymentError(EVENT_REFUSED), which is not retried.
        """
        payment = event.payment
        is_first = self._is_first(payment)
        if payment.may_be_sent and not is_first:
            await self._begin(payment)
        is_begun = False
        publishing = asyncio.create_task(self._publisher.publish(event))
        try:
            is_begun = await self._record_if_slow(event, publishing)
            await publishing
        except PaymentError as error:
            if error.code is ErrorCode.EVENT_REFUSED and is_first and not is_begun:
                await self._release(payment)
                raise
            await self._record(event, Announcement.BEGUN)
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        finally:
            publishing.cancel()
        await self._record(event, Announcement.MADE)

    def _is_first(self, payment: Payment) -> bool:
        """Whether it is sure that no earlier try has sent the event."""
        if payment.may_be_sent:
            return self._unsent.take(payment.id)
        return activity.info().attempt == 1

    async def _begin(self, payment: Payment) -> None:
        """Record that publishing begins. Raises PaymentError(EVENTS_UNAVAILABLE) if it may not."""
        await self._payments.record_announcement(payment.announced(Announcement.BEGUN))
        recorded = await self._payments.find(payment.id)
        if recorded is None or not recorded.is_irrevocable:
            raise PaymentError(
                ErrorCode.EVENTS_UNAVAILABLE, "The payment is being undone. It is not published."
            )

    async def _release(self, payment: Payment) -> None:
        """Record that nothing was sent, unless another try has begun.

        Raises PaymentError(EVENTS_UNAVAILABLE) if it has.
        """
        if payment.may_be_sent and not await self._payments.record_unsent(payment):
            raise PaymentError(
                ErrorCode.EVENTS_UNAVAILABLE, "Another try to publish the event has begun."
            )

    async def _record_if_slow(self, event: PaymentEvent, publishing: asyncio.Task[None]) -> bool:
        """Wait for the broker; record `begun` if it is slow. True if the row may say `begun`."""
        done, _ = await asyncio.wait({publishing}, timeout=BEGUN_AFTER_SECONDS)
        if done:
            return False
        with suppress(PaymentError):  # even then, the statement may have been executed
            await self._record(event, Announcement.BEGUN)
        return True

    async def _record(self, event: PaymentEvent, announcement: Announcement) -> None:
        await self._payments.record_announcement(event.payment.announced(announcement))
