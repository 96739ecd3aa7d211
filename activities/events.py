"""The step that publishes how a payment ended."""

import asyncio
from contextlib import suppress

from temporalio import activity

from activities.ports import EventPublisher, Payments
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement

BEGUN_AFTER_SECONDS = 1.5
"""After this time, the row says that the event may have been published. The payment then counts as
ended, so that a caller, who gets a response within 3 s, does not wait for Kafka. Chosen, not
measured: a healthy broker takes some milliseconds."""


class EventActivities:
    """Publishes the event of a payment that ended."""

    def __init__(self, publisher: EventPublisher, payments: Payments) -> None:
        self._publisher = publisher
        self._payments = payments

    @activity.defn
    async def publish_event(self, event: PaymentEvent) -> None:
        """Publish the event, and record that it is published.

        After BEGUN_AFTER_SECONDS, it is recorded that the event may be published. Raises
        PaymentError: EVENT_REFUSED on the first try and before that time, which ends the retries;
        else EVENTS_UNAVAILABLE, because consumers may have the event, so the ending is final.
        """
        is_begun = False
        publishing = asyncio.create_task(self._publisher.publish(event))
        try:
            is_begun = await self._begun_if_slow(event, publishing)
            await publishing
        except PaymentError as error:
            is_first = activity.info().attempt == 1 and not is_begun
            if error.code is ErrorCode.EVENT_REFUSED and is_first:
                raise
            await self._record(event, Announcement.BEGUN)
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        finally:
            publishing.cancel()
        await self._record(event, Announcement.MADE)

    async def _begun_if_slow(self, event: PaymentEvent, publishing: asyncio.Task[None]) -> bool:
        """Wait a short time for the broker. True if the row may say that publishing has begun."""
        done, _ = await asyncio.wait({publishing}, timeout=BEGUN_AFTER_SECONDS)
        if done:
            return False
        with suppress(PaymentError):  # the statement may have been executed all the same
            await self._record(event, Announcement.BEGUN)
        return True

    async def _record(self, event: PaymentEvent, announcement: Announcement) -> None:
        await self._payments.record_announcement(event.payment.announced(announcement))
