"""A fake of the topics in Kafka."""

from uuid import UUID

from activities.ports import EventPublisher
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event
from domain.gateway import ChargeState
from domain.names import TOPIC_FAILED, TOPICS
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
        if event.topic == TOPIC_FAILED:
            require_end(self._world, event.subject)
        self._world.events.append(event)


def require_end(world: World, payment_id: UUID) -> None:
    """Nothing may be captured any more when consumers give the order and its seat away."""
    for reference, attempt in world.attempts.items():
        state = attempt.charge.state
        is_refunded = any(each.reference == reference for each in world.refunds)
        is_kept = state is ChargeState.CAPTURED and not is_refunded
        is_live = world.is_live(reference)
        if attempt.request.payment_id == payment_id and (is_live or is_kept):
            world.broken.append(f"a failure was published, and {reference} is {state}")
