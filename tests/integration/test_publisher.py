"""Publishing to the real broker: events are refused, cut off, and repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID, uuid4

import pytest

from activities.adapters import kafka, kafka_topics
from activities.adapters.kafka import KafkaPublisher
from activities.adapters.kafka_topics import create_topics
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.names import TOPICS
from tests.support.agreement import assert_agreement
from tests.support.builders import NOON, a_payment
from tests.support.logged import lines
from tests.support.stacks import kafka_of
from tests.support.system import System
from tests.support.waiting import eventually

SECONDS = 0.5
"""Time limit of a step of publishing in these tests, shorter than in production."""

BOUND = 3 * SECONDS + kafka.START_TIMEOUT_SECONDS


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "SEND_TIMEOUT_SECONDS", SECONDS)
    monkeypatch.setattr(kafka, "STOP_TIMEOUT_SECONDS", SECONDS)
    monkeypatch.setattr(kafka, "RETRY_PAUSE_SECONDS", 0)


@asynccontextmanager
async def a_publisher(system: System) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(kafka_of(system.stack))
    try:
        yield publisher
    finally:
        await publisher.close()


@pytest.fixture
async def publisher(system: System) -> AsyncIterator[KafkaPublisher]:
    async with a_publisher(system) as publisher:
        yield publisher


async def an_event(system: System) -> PaymentEvent:
    """An event of an order that Ordering has, so that Ordering accepts it."""
    order = await system.an_order()
    payment = a_payment(order_id=UUID(order.id), reservation_id=uuid4(), transaction_id="txn_1")
    return PaymentEvent.of(payment.succeeded(NOON))


async def test_a_topic_that_the_broker_does_not_create_is_named(system: System) -> None:
    with pytest.raises(PaymentError, match=r"topic not/valid \(InvalidTopicError\): ") as failure:
        await create_topics(kafka_of(system.stack), ["not/valid"])

    assert failure.value.code is ErrorCode.EVENT_REFUSED


async def test_existing_topics_are_checked(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The check of a large cluster, with one replica because there is one broker here."""
    monkeypatch.setattr(kafka_topics, "REPLICAS", 1)

    await create_topics(kafka_of(system.stack), TOPICS)

    warnings = lines(caplog, kafka_topics)
    assert sorted(warning.partition(": ")[0] for warning in warnings) == [
        f"topic {topic} has 1 replicas and min.insync.replicas=1" for topic in sorted(TOPICS)
    ]


@pytest.mark.proof
async def test_publishers_and_payments_outlast_an_outage(
    publisher: KafkaPublisher, system: System
) -> None:
    event, order = await an_event(system), await system.an_order()
    seat = await system.a_seat(order)
    await eventually("Kafka takes events", partial(is_published, publisher, event))
    async with a_publisher(system) as fresh_one:
        async with system.without("kafka"):
            paying = asyncio.create_task(system.pay(order, reservationId=seat))
            for each in (publisher, fresh_one):
                assert await code_of_failure(each, event) is ErrorCode.EVENTS_UNAVAILABLE
            answer = await paying

        for each in (publisher, fresh_one):
            await eventually("Kafka takes events again", partial(is_published, each, event))

    assert len(set(map(str, await system.topics.of(event.key)))) == 1
    assert answer.status == 200
    await system.until_published(order)
    await assert_agreement(system, order, answer)


async def is_published(publisher: KafkaPublisher, event: PaymentEvent) -> bool:
    """Whether the event is published. A busy broker may exceed the time limit."""
    try:
        await publisher.publish(event)
    except PaymentError:
        return False
    return True


async def code_of_failure(publisher: KafkaPublisher, event: PaymentEvent) -> ErrorCode:
    async with asyncio.timeout(BOUND):
        with pytest.raises(PaymentError) as failure:
            await publisher.publish(event)
    return failure.value.code
