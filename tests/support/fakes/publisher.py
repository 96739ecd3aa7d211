"""A fake of the topics in Kafka."""

from activities.ports import EventPublisher
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event
from domain.names import TOPICS
from tests.support.fakes.world import World

LARGEST_EVENT = 1_048_000
"""In bytes. A producer of aiokafka sends at most 1 MiB at a time, including the headers."""


class FakePublisher(EventPublisher):
    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(self, event: Event) -> None:
        await self._world.perform(event.topic, lambda: self._take(event))

    def _take(self, event: Event) -> None:
        if event.topic not in TOPICS:
            raise PaymentError(ErrorCode.EVENT_REFUSED, f"There is no topic {event.topic}.")
        if len(exact_json.dumps(event.value)) > LARGEST_EVENT:
            raise PaymentError(ErrorCode.EVENT_REFUSED, "The event is too large.")
        self._world.events.append(event)
