"""Telling the world how a payment ended."""

import asyncio
from contextlib import suppress

from temporalio import activity

from activities.ports import EventPublisher, Payments
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement

BEGUN_AFTER_SECONDS = 1.5
"""After this time the row says that the event may be out, so that callers, who get an answer within
3 s, need not wait for Kafka. Chosen: a healthy broker takes some milliseconds."""


class EventActivities:
    def __init__(self, publisher: EventPublisher, payments: Payments) -> None:
        self._publisher = publisher
        self._payments = payments

    @activity.defn
    async def publish_event(self, event: PaymentEvent) -> None:
        """Publish, and note that it is done.

        An event that is not out after BEGUN_AFTER_SECONDS is noted as begun. Fails for good, with
        EVENT_REFUSED, only on the first try and before that: later the event may have reached
        consumers, and the row says that the payment's ending stands.
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
            await self._note(event, Announcement.BEGUN)
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        finally:
            publishing.cancel()
        await self._note(event, Announcement.MADE)

    async def _begun_if_slow(self, event: PaymentEvent, publishing: asyncio.Task[None]) -> bool:
        """Wait a short time for the publish. Return True if the event may be recorded as begun."""
        done, _ = await asyncio.wait({publishing}, timeout=BEGUN_AFTER_SECONDS)
        if done:
            return False
        with suppress(PaymentError):  # whether or not the row says so, it may
            await self._note(event, Announcement.BEGUN)
        return True

    async def _note(self, event: PaymentEvent, announcement: Announcement) -> None:
        await self._payments.record_announcement(event.payment.announced(announcement))
