"""Reading the records of Kafka, by their key, which is the order's id."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from audit.books import Record
from domain import names

AT_ONCE = 1000
"""Maximum records per poll of Kafka. Chosen, not measured."""

Offsets = Mapping[TopicPartition, int]


class Topics:
    """All topics of the service, from what Kafka still has to their present ends."""

    def __init__(self, consumer: AIOKafkaConsumer, begins: Offsets, ends: Offsets) -> None:
        self._consumer = consumer
        self._begins = begins
        self._ends = ends

    @property
    def has_everything(self) -> bool:
        """Whether Kafka has deleted no record so far."""
        return not any(self._begins.values())

    async def by_key(self, since: datetime, wanted: Collection[str]) -> dict[str, list[Record]]:
        """Records that are newer, and of the orders that they name or that are wanted all others.

        Others are not kept: old topics are larger than memory.
        """
        found: dict[str, list[Record]] = defaultdict(list)
        middle = await self._offsets_at(since)
        async for record in self._between(middle, self._ends, lambda _: True):
            found[record.key].append(record)
        keys = found.keys() | set(wanted)
        if keys:
            async for record in self._between(self._begins, middle, keys.__contains__):
                found[record.key].append(record)
        return found

    async def all_by_key(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = defaultdict(list)
        async for record in self._between(self._begins, self._ends, lambda _: True):
            found[record.key].append(record)
        return found

    async def _offsets_at(self, moment: datetime) -> Offsets:
        """Of each partition, where its first record of that time or later is."""
        milliseconds = dict.fromkeys(self._ends, int(moment.timestamp() * 1000))
        found = await self._consumer.offsets_for_times(milliseconds) if milliseconds else {}
        return {
            partition: found[partition].offset if found.get(partition) else end
            for partition, end in self._ends.items()
        }

    async def _between(
        self, starts: Offsets, ends: Offsets, is_wanted: Callable[[str], bool]
    ) -> AsyncIterator[Record]:
        for partition, start in starts.items():
            self._consumer.seek(partition, start)
        while unread := [each for each in ends if await self._consumer.position(each) < ends[each]]:
            batches = await self._consumer.getmany(*unread, timeout_ms=200, max_records=AT_ONCE)
            for partition, batch in batches.items():
                for each in batch:
                    if each.offset < ends[partition] and is_wanted(_text(each.key)):
                        yield record_of(each)


@asynccontextmanager
async def topics(connection: Mapping[str, Any]) -> AsyncIterator[Topics]:
    """The topics as they are now. Raises KafkaError."""
    async with AIOKafkaConsumer(
        *names.TOPICS,
        **connection,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    ) as consumer:
        partitions = consumer.assignment()
        begins = await consumer.beginning_offsets(partitions)
        yield Topics(consumer, begins, await consumer.end_offsets(partitions))


async def read_records(connection: Mapping[str, Any]) -> Mapping[str, list[Record]]:
    """Every record of all topics up to now, by key. Raises KafkaError."""
    async with topics(connection) as opened:
        return await opened.all_by_key()


def record_of(found: Any) -> Record:
    event_id = _text(dict(found.headers).get("ce_id"))
    return Record(event_id, found.topic, _text(found.key), found.value or b"")


def _text(found: bytes | None) -> str:
    """Whatever others may have written there."""
    return (found or b"").decode(errors="replace")
