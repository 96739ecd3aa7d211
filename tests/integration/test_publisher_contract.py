"""The faked publisher does what the real one does with a broker."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from activities.adapters.kafka import KafkaPublisher, headers
from activities.ports import EventPublisher
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event, PaymentEvent, RefundEvent
from domain.names import TOPIC_FAILED, TOPIC_REFUNDED, TOPIC_SUCCEEDED, TOPICS
from domain.payment import Payment
from tests.support import topics
from tests.support.builders import DECLINED, NOON, a_payment, a_refund
from tests.support.fakes.publisher import LARGEST_EVENT, FakePublisher
from tests.support.fakes.world import World
from tests.support.stacks import kafka_of
from tests.support.system import System
from tests.support.waiting import eventually

MISSING = "nobody-has-made-this-topic"


class Broker(Protocol):
    """A broker, and a publisher to it."""

    publisher: EventPublisher

    async def order_id(self) -> UUID:
        """The id of an order that consumers know."""
        ...

    async def records(self, event: Event) -> list[topics.Event]:
        """The records of the event's order in all topics."""
        ...

    async def has_topic(self, topic: str) -> bool: ...

    def away(self) -> AbstractAsyncContextManager[None]:
        """In the block, the broker cannot be reached."""
        ...


class FakeBroker(Broker):
    def __init__(self) -> None:
        self._world = World()
        self.publisher = FakePublisher(self._world)

    async def order_id(self) -> UUID:
        return uuid4()

    async def records(self, event: Event) -> list[topics.Event]:
        return [_record(each) for each in self._world.events if each.key == event.key]

    async def has_topic(self, topic: str) -> bool:
        return topic in {each.topic for each in self._world.events}

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        self._world.before = {topic: self._world.down(topic) for topic in TOPICS}
        yield
        self._world.before.clear()


class RealBroker(Broker):
    def __init__(self, system: System) -> None:
        self._system = system
        self.publisher = self.real = KafkaPublisher(kafka_of(system.stack))

    async def order_id(self) -> UUID:
        return UUID((await self._system.an_order()).id)

    async def records(self, event: Event) -> list[topics.Event]:
        return list(await self._system.topics.of(event.key))

    async def has_topic(self, topic: str) -> bool:
        admin = AIOKafkaAdminClient(**kafka_of(self._system.stack))
        await admin.start()
        try:
            return topic in await admin.list_topics()
        finally:
            await admin.close()

    def away(self) -> AbstractAsyncContextManager[None]:
        return self._system.without("kafka")


def _record(event: Event) -> topics.Event:
    texts = {name: value.decode() for name, value in headers(event)}
    return topics.Event(event.topic, event.key, texts, exact_json.dumps(event.value))


@pytest.fixture(params=["fake", "real"])
async def broker(request: pytest.FixtureRequest, system: System) -> AsyncIterator[Broker]:
    if request.param == "fake":
        yield FakeBroker()
        return
    real = RealBroker(system)
    yield real
    await real.real.close()


class EventForNobody(PaymentEvent):
    @property
    def topic(self) -> str:
        return MISSING


class LargeEvent(PaymentEvent):
    @property
    def value(self) -> dict[str, Any]:
        return {**super().value, "filler": "x" * LARGEST_EVENT}


async def a_success(broker: Broker) -> Payment:
    return a_payment(order_id=await broker.order_id()).succeeded(NOON).announced()


async def an_event(broker: Broker, topic: str = TOPIC_SUCCEEDED) -> Event:
    success = await a_success(broker)
    if topic == TOPIC_REFUNDED:
        return RefundEvent(refund=a_refund(success).succeeded(NOON))
    failed = a_payment(order_id=success.order_id).failed(DECLINED, NOON)
    return PaymentEvent.of(success if topic == TOPIC_SUCCEEDED else failed)


@pytest.mark.parametrize("topic", [TOPIC_SUCCEEDED, TOPIC_FAILED, TOPIC_REFUNDED])
async def test_an_event_is_stored_when_publishing_returns(broker: Broker, topic: str) -> None:
    event = await an_event(broker, topic)

    await broker.publisher.publish(event)

    [record] = await broker.records(event)
    assert (record.topic, record.key) == (topic, event.key)
    assert exact_json.loads(record.value) == exact_json.loads(exact_json.dumps(event.value))
    assert record.headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(event.id),
        "ce_type": topic,
        "ce_source": "/payments",
        "ce_subject": str(event.subject),
    }


async def test_an_event_that_is_published_again_is_a_second_record(broker: Broker) -> None:
    event = await an_event(broker)

    for _ in range(2):
        await broker.publisher.publish(event)

    first, second = await broker.records(event)
    assert first == second
    assert first.id == str(event.id)


async def test_an_event_of_a_missing_topic_is_refused(broker: Broker) -> None:
    event = EventForNobody.of(await a_success(broker))

    with refused(ErrorCode.EVENT_REFUSED):
        await broker.publisher.publish(event)

    assert not await broker.has_topic(MISSING)
    await broker.publisher.publish(await an_event(broker))


async def test_an_event_that_is_too_large_is_refused(broker: Broker) -> None:
    event = LargeEvent.of(await a_success(broker))

    with refused(ErrorCode.EVENT_REFUSED):
        await broker.publisher.publish(event)

    assert await broker.records(event) == []
    await broker.publisher.publish(await an_event(broker))


@pytest.mark.proof
async def test_a_broker_that_is_down_takes_nothing_and_later_everything(broker: Broker) -> None:
    event, lost = await an_event(broker), await an_event(broker)
    await broker.publisher.publish(event)

    async with broker.away():
        for each in (lost, event):
            with refused(ErrorCode.EVENTS_UNAVAILABLE):
                await broker.publisher.publish(each)

    async def is_published() -> bool:
        try:
            await broker.publisher.publish(event)
        except PaymentError:
            return False
        return True

    await eventually("the broker takes events again", is_published)
    assert {each.id for each in await broker.records(event)} == {str(event.id)}
    assert await broker.records(lost) == []


@contextmanager
def refused(code: ErrorCode) -> Iterator[None]:
    with pytest.raises(PaymentError) as refusal:
        yield
    assert refusal.value.code is code
