"""Reads all topics of the real broker from the beginning, with one consumer."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer

from devstack.neighbours.decimal_json import loads_decimal
from domain.names import TOPICS
from tests.support.contract import event_validator

VALIDATORS = {topic: event_validator(topic) for topic in TOPICS}
_TIMEOUT_SECONDS = 20
"""Time limit for reading up to the present end. Chosen, not measured."""


class Event(NamedTuple):
    topic: str
    key: str
    headers: dict[str, str]
    value: bytes

    @property
    def id(self) -> str:
        return self.headers["ce_id"]

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = loads_decimal(self.value)
        return body


class Topics:
    """All records of all topics, by key. The key is the order's id."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._events: dict[str, list[Event]] = defaultdict(list)
        self._reading = asyncio.Lock()

    async def of(self, order_id: str) -> list[Event]:
        """All records of the order that Kafka has now, including copies of an event."""
        await self._read()
        return self._events[order_id]

    async def every(self) -> list[Event]:
        """All records of all orders that Kafka has now."""
        await self._read()
        return [event for events in self._events.values() for event in events]

    async def _read(self) -> None:
        async with self._reading, asyncio.timeout(_TIMEOUT_SECONDS):
            ends = await self._consumer.end_offsets(self._consumer.assignment())
            while new := [each for each, end in ends.items() if await self._is_before(each, end)]:
                self._consumer.resume(*new)
                self._keep(await self._consumer.getmany(*new, timeout_ms=100))
                self._consumer.pause(*new)

    async def _is_before(self, partition: Any, end: int) -> bool:
        return bool(await self._consumer.position(partition) < end)

    def _keep(self, batch: dict[Any, Any]) -> None:
        for records in batch.values():
            for record in records:
                headers = {name: value.decode() for name, value in record.headers}
                key = record.key.decode()
                VALIDATORS[record.topic].validate(json.loads(record.value))
                self._events[key].append(Event(record.topic, key, headers, record.value))


@asynccontextmanager
async def following(servers: str) -> AsyncIterator[Topics]:
    consumer = AIOKafkaConsumer(
        *TOPICS,
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    # Paused, so that it fetches only records that exist: while a fetch waits for new records, the
    # broker does not respond to other requests.
    consumer.pause(*consumer.assignment())
    try:
        yield Topics(consumer)
    finally:
        await consumer.stop()
