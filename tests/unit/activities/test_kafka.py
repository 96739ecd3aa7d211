"""Publishing never waits without end, and never uses a producer again that failed."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from activities import events
from activities.adapters import kafka
from activities.adapters.kafka import KafkaPublisher, headers
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from tests.support.builders import NOON, a_payment

CONNECTION = {"bootstrap_servers": "kafka:9092", "security_protocol": "SSL"}
EVENT = PaymentEvent.of(a_payment().succeeded(at=NOON))

REAL_TOPIC_SECONDS, REAL_SLOW_SECONDS = kafka.TOPIC_TIMEOUT_SECONDS, kafka.SLOW_SECONDS

Fault = Callable[[], Awaitable[None]]


async def nothing() -> None:
    pass


async def stall() -> None:
    await asyncio.Event().wait()


def raising(error: Exception) -> Fault:
    async def fail() -> None:
        raise error

    return fail


class FakeProducer:
    """An aiokafka producer without a broker: faults for all instances, and a list of them."""

    made: ClassVar[list["FakeProducer"]]
    on: ClassVar[dict[str, Fault]]
    topics: ClassVar[set[str]]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.sent: list[dict[str, Any]] = []
        self.stopped = self.closed = self._closed = False
        self.client = self._sender = self._message_accumulator = self
        self.made.append(self)

    async def start(self) -> None:
        await asyncio.sleep(0)
        await self.on.get("start", nothing)()

    async def partitions_for(self, topic: str) -> set[int]:
        """Waits for a missing topic longer than our time limit, as aiokafka does."""
        if topic not in self.topics:
            await stall()
        return {0}

    async def send_and_wait(self, topic: str, **record: Any) -> None:
        await self.on.get("send", nothing)()
        self.sent.append({"topic": topic, **record})

    async def fetch_all_metadata(self) -> Any:
        await self.on.get("metadata", nothing)()
        return SimpleNamespace(topics=lambda: self.topics)

    async def stop(self) -> None:
        if self.stopped:
            return
        self.stopped = True
        await self.on.get("stop", nothing)()

    async def close(self) -> None:
        self.closed = self._closed


@pytest.fixture(autouse=True)
def producers(monkeypatch: pytest.MonkeyPatch) -> type[FakeProducer]:
    FakeProducer.made, FakeProducer.on, FakeProducer.topics = [], {}, {EVENT.topic}
    monkeypatch.setattr(kafka, "AIOKafkaProducer", FakeProducer)
    for name in (
        "START_TIMEOUT_SECONDS",
        "TOPIC_TIMEOUT_SECONDS",
        "SEND_TIMEOUT_SECONDS",
        "STOP_TIMEOUT_SECONDS",
    ):
        monkeypatch.setattr(kafka, name, 0.01)
    monkeypatch.setattr(kafka, "RETRY_PAUSE_SECONDS", 0)
    return FakeProducer


async def failure(publisher: KafkaPublisher) -> ErrorCode:
    with pytest.raises(PaymentError) as caught:
        await publisher.publish(EVENT)
    return caught.value.code


async def test_events_go_through_one_producer_that_waits_for_all_replicas(
    producers: type[FakeProducer],
) -> None:
    publisher = KafkaPublisher(CONNECTION)

    await asyncio.gather(*(publisher.publish(EVENT) for _ in range(3)))

    [producer] = producers.made
    assert producer.options == {
        **CONNECTION,
        "acks": "all",
        "enable_idempotence": True,
    }
    assert producer.sent == 3 * [
        {
            "topic": "payment-succeeded",
            "key": str(EVENT.payment.order_id).encode(),
            "value": exact_json.dumps(EVENT.value),
            "headers": headers(EVENT),
        }
    ]


@pytest.mark.parametrize(
    "error", [MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError]
)
async def test_what_kafka_will_never_take_is_refused(
    producers: type[FakeProducer], error: type[Exception]
) -> None:
    producers.on["send"] = raising(error())

    assert await failure(KafkaPublisher(CONNECTION)) is ErrorCode.EVENT_REFUSED


FAULTS = {
    "timeout": raising(KafkaTimeoutError()),
    "poisoned": raising(OutOfOrderSequenceNumber()),
    "stalled": stall,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_producer_that_failed_is_discarded(
    producers: type[FakeProducer], fault: Fault
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    producers.on["send"] = fault

    assert await failure(publisher) is ErrorCode.EVENTS_UNAVAILABLE
    del producers.on["send"]
    await publisher.publish(EVENT)

    failed, fresh = producers.made
    assert (failed.closed, fresh.closed) == (True, False)
    assert len(fresh.sent) == 1


async def test_a_missing_topic_is_a_refusal_that_costs_others_nothing(
    producers: type[FakeProducer],
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    producers.topics = {"payment-failed"}

    for _ in range(2):
        assert await failure(publisher) is ErrorCode.EVENT_REFUSED
    producers.topics.add(EVENT.topic)
    await publisher.publish(EVENT)

    assert len(producers.made) == 1


async def test_a_topic_that_may_not_be_written_is_a_refusal(
    producers: type[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        producers, "partitions_for", lambda *_: raising(TopicAuthorizationFailedError())()
    )

    assert await failure(KafkaPublisher(CONNECTION)) is ErrorCode.EVENT_REFUSED


def test_a_missing_topic_is_found_before_an_event_counts_as_begun() -> None:
    assert REAL_TOPIC_SECONDS < REAL_SLOW_SECONDS < events.BEGUN_AFTER_SECONDS


async def test_while_kafka_is_down_events_fail_at_once(
    producers: type[FakeProducer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "RETRY_PAUSE_SECONDS", 60)
    publisher = KafkaPublisher(CONNECTION)
    producers.on["start"] = raising(KafkaConnectionError())

    for _ in range(5):
        assert await failure(publisher) is ErrorCode.EVENTS_UNAVAILABLE

    assert len(producers.made) == 1


@pytest.mark.parametrize("fault", [stall, raising(KafkaConnectionError())], ids=["stall", "down"])
async def test_a_topic_is_missing_only_if_a_broker_says_so(
    producers: type[FakeProducer], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    producers.topics = set()
    producers.on.update(send=raising(KafkaConnectionError()), metadata=fault)
    monkeypatch.setattr(producers, "partitions_for", lambda *_: fault())

    assert await failure(KafkaPublisher(CONNECTION)) is ErrorCode.EVENTS_UNAVAILABLE


@pytest.mark.parametrize(
    "fault",
    [stall, raising(KafkaConnectionError()), raising(ConnectionRefusedError())],
    ids=["stall", "down", "refused"],
)
async def test_a_producer_that_cannot_start_is_discarded(
    producers: type[FakeProducer], fault: Fault
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    producers.on["start"] = fault

    assert await failure(publisher) is ErrorCode.EVENTS_UNAVAILABLE
    del producers.on["start"]
    await publisher.publish(EVENT)

    assert [each.closed for each in producers.made] == [True, False]


@pytest.mark.parametrize("fault", [nothing, stall, raising(KafkaConnectionError())])
async def test_closing_ends_whatever_the_producer_does(
    producers: type[FakeProducer], fault: Fault
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    await publisher.publish(EVENT)
    producers.on["stop"] = fault

    await publisher.close()
    await publisher.close()

    [producer] = producers.made
    assert producer.stopped
    assert producer.closed or fault is nothing  # `stop` has closed it where it came to its end
