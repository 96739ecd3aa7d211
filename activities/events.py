"""Telling the world how a payment ended."""

from temporalio import activity

from activities.ports import EventPublisher, Payments
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement


class EventActivities:
    def __init__(self, publisher: EventPublisher, payments: Payments) -> None:
        self._publisher = publisher
        self._payments = payments

    @activity.defn
    async def publish_event(self, event: PaymentEvent) -> None:
        """Publish, and note that it is done.

        Fails for good, with EVENT_REFUSED, only on the first try: after that an earlier one may
        have reached consumers.
        """
        try:
            await self._publisher.publish(event)
        except PaymentError as error:
            if error.code is ErrorCode.EVENT_REFUSED and activity.info().attempt == 1:
                raise
            await self._note(event, Announcement.BEGUN)
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        await self._note(event, Announcement.MADE)

    async def _note(self, event: PaymentEvent, announcement: Announcement) -> None:
        await self._payments.record_announcement(event.payment.announced(announcement))
