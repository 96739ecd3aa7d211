"""Publishing: every wait ends, and a producer that failed is never used again."""

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

from activities.adapters import kafka
from activities.adapters.kafka import KafkaPublisher, headers
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from tests.builders import NOON, a_payment

CONNECTION = {"bootstrap_servers": "kafka:9092", "security_protocol": "SSL"}
EVENT = PaymentEvent.of(a_payment().succeeded(at=NOON))

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
        self.stopped = False
        self.client = self
        self.made.append(self)

    async def start(self) -> None:
        await asyncio.sleep(0)
        await self.on.get("start", nothing)()

    async def send_and_wait(self, topic: str, **record: Any) -> None:
        await self.on.get("send", nothing)()
        self.sent.append({"topic": topic, **record})

    async def fetch_all_metadata(self) -> Any:
        await self.on.get("metadata", nothing)()
        return SimpleNamespace(topics=lambda: self.topics)

    async def stop(self) -> None:
        self.stopped = True
        await self.on.get("stop", nothing)()


@pytest.fixture(autouse=True)
def producers(monkeypatch: pytest.MonkeyPatch) -> type[FakeProducer]:
    FakeProducer.made, FakeProducer.on, FakeProducer.topics = [], {}, {EVENT.topic}
    monkeypatch.setattr(kafka, "AIOKafkaProducer", FakeProducer)
    for name in ("START_SECONDS", "SEND_SECONDS", "STOP_SECONDS"):
        monkeypatch.setattr(kafka, name, 0.01)
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
async def test_a_producer_that_failed_is_thrown_away(
    producers: type[FakeProducer], fault: Fault
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    producers.on["send"] = fault

    assert await failure(publisher) is ErrorCode.EVENTS_UNAVAILABLE
    del producers.on["send"]
    await publisher.publish(EVENT)

    failed, fresh = producers.made
    assert (failed.stopped, fresh.stopped) == (True, False)
    assert len(fresh.sent) == 1


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_missing_topic_is_a_refusal(producers: type[FakeProducer], fault: Fault) -> None:
    producers.on["send"], producers.topics = fault, {"payment-failed"}

    assert await failure(KafkaPublisher(CONNECTION)) is ErrorCode.EVENT_REFUSED


@pytest.mark.parametrize("fault", [stall, raising(KafkaConnectionError())], ids=["stall", "down"])
async def test_a_topic_is_missing_only_if_a_broker_says_so(
    producers: type[FakeProducer], fault: Fault
) -> None:
    producers.topics = set()
    producers.on.update(send=stall, metadata=fault)

    assert await failure(KafkaPublisher(CONNECTION)) is ErrorCode.EVENTS_UNAVAILABLE


@pytest.mark.parametrize(
    "fault",
    [stall, raising(KafkaConnectionError()), raising(ConnectionRefusedError())],
    ids=["stall", "down", "refused"],
)
async def test_a_producer_that_cannot_start_is_thrown_away(
    producers: type[FakeProducer], fault: Fault
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    producers.on["start"] = fault

    assert await failure(publisher) is ErrorCode.EVENTS_UNAVAILABLE
    del producers.on["start"]
    await publisher.publish(EVENT)

    assert [each.stopped for each in producers.made] == [True, False]


@pytest.mark.parametrize("fault", [nothing, stall, raising(KafkaConnectionError())])
async def test_closing_ends_whatever_the_producer_does(
    producers: type[FakeProducer], fault: Fault
) -> None:
    publisher = KafkaPublisher(CONNECTION)
    await publisher.publish(EVENT)
    producers.on["stop"] = fault

    await publisher.close()
    await publisher.close()

    assert [each.stopped for each in producers.made] == [True]
