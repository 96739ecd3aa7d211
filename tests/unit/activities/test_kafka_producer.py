"""aiokafka's real producer, with a broker that accepts connections and does not respond.

Only aiokafka's client, which owns the sockets, is replaced.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import RequestTimedOutError

from activities.adapters import kafka
from activities.adapters.kafka import KafkaPublisher
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from tests.support.builders import NOON, a_payment

EVENT = PaymentEvent.of(a_payment().succeeded(at=NOON))
REQUEST_SECONDS = 40
METADATA = SimpleNamespace(
    API_VERSION=1,
    brokers=[(0, "kafka", 9092, None)],
    controller_id=0,
    topics=[(0, EVENT.topic, False, [(0, 0, 0, [0], [0])])],
)


class Broker:
    """A broker that responds to everything, but keeps back some responses until it is thawed."""

    def __init__(self) -> None:
        self.thawed = asyncio.Event()
        self.asked = asyncio.Event()
        self.kept: list[object] = []
        """By which producer's client each record was sent."""

    async def answer(self, client: object, request: Any) -> Any:
        name = type(request).__name__
        if "InitProducer" in name:
            return SimpleNamespace(error_code=0, producer_id=1, producer_epoch=0)
        assert "Produce" in name
        self.asked.set()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self.thawed.wait()
        except TimeoutError:
            raise RequestTimedOutError from None
        self.kept.append(client)
        return SimpleNamespace(API_VERSION=2, topics=[(EVENT.topic, [(0, 0, len(self.kept), 0)])])


@pytest.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()

    async def bootstrap(client: AIOKafkaClient) -> None:
        client.cluster.update_metadata(METADATA)

    async def send(client: AIOKafkaClient, _: int, request: Any, **__: Any) -> Any:
        return await broker.answer(client, request)

    def updated(_: AIOKafkaClient) -> "asyncio.Future[bool]":
        future = asyncio.get_running_loop().create_future()
        future.set_result(True)
        return future

    replaced: dict[str, Callable[..., Any]] = {
        "bootstrap": bootstrap,
        "send": send,
        "force_metadata_update": updated,
    }
    for name, method in replaced.items():
        monkeypatch.setattr(AIOKafkaClient, name, method)
    monkeypatch.setattr(kafka, "SEND_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(kafka, "STOP_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(kafka, "RETRY_PAUSE_SECONDS", 0)
    return broker


@pytest.fixture
async def publisher(broker: Broker) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher({"bootstrap_servers": "kafka:9092"})
    yield publisher
    await publisher.close()


async def fail(publisher: KafkaPublisher) -> None:
    with pytest.raises(PaymentError) as caught:
        await publisher.publish(EVENT)
    assert caught.value.code is ErrorCode.EVENTS_UNAVAILABLE


async def test_a_discarded_producer_is_gone_and_sends_nothing_later(
    broker: Broker, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asyncio.all_tasks()
    for _ in range(4):
        await fail(publisher)
    await until_only(before)

    broker.thawed.set()
    monkeypatch.setattr(kafka, "SEND_TIMEOUT_SECONDS", 10)
    await publisher.publish(EVENT)

    assert len(broker.kept) == 1


async def test_a_closed_publisher_leaves_nothing_behind(
    broker: Broker, publisher: KafkaPublisher
) -> None:
    before = asyncio.all_tasks()
    sending = asyncio.create_task(publisher.publish(EVENT))
    await broker.asked.wait()
    sending.cancel()

    await publisher.close()

    await until_only(before)
    broker.thawed.set()
    await asyncio.sleep(0)
    assert broker.kept == []


async def until_only(tasks: set[asyncio.Task[Any]]) -> None:
    """Wait until no other tasks are left."""
    while asyncio.all_tasks() - tasks:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)
