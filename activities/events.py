"""Telling the world how a payment ended."""

from temporalio import activity

from activities.ports import EventPublisher
from domain.events import PaymentEvent


class EventActivities:
    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher

    @activity.defn
    async def publish_event(self, event: PaymentEvent) -> None:
        await self._publisher.publish(event)
