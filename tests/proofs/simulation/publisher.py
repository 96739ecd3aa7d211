"""Kafka in the simulation: a log, and the consumers that read it."""

from typing import TYPE_CHECKING

from activities.ports import EventPublisher
from domain.events import Event, PaymentEvent
from domain.names import TOPIC_FAILED
from tests.support.fakes.publisher import require_end

if TYPE_CHECKING:
    from tests.proofs.simulation.world import FaultyWorld


class HeardPublisher(EventPublisher):
    def __init__(self, world: "FaultyWorld") -> None:
        self._world = world

    async def publish(self, event: Event) -> None:
        await self._world.perform(event.topic, lambda: self._append(event))

    def _append(self, event: Event) -> None:
        if not isinstance(event, PaymentEvent):
            raise TypeError("This is no event of a payment.")
        if all(
            (each.subject, each.topic) != (event.subject, event.topic)
            for each in self._world.events
        ):
            self._world.looks.judge_event(event)
        if event.topic == TOPIC_FAILED:
            require_end(self._world, event.subject)
        self._world.events.append(event)
        self._world.consumers.tell(event)
