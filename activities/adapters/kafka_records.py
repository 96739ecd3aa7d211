"""Reads records from the topics in Kafka, for the audit and for the timeline."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from activities.adapters.kafka import Connection
from activities.audit_ports import FoundRecords, Record
from domain import names

MAX_POLL_RECORDS = 1000
"""Most records that one poll returns. Chosen, not measured."""
POLL_MILLISECONDS = 200
"""How long a poll waits for records. Chosen, not measured."""
FETCH_WAIT_MILLISECONDS = 50
"""How long a broker waits for new records. Short, because only records that exist already are read.
Chosen, not measured."""

Offsets = Mapping[TopicPartition, int]


@asynccontextmanager
async def open_consumer(
    connection: Connection, *, auto_offset_reset: str
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all topics that is in no group and commits nothing. Raises KafkaError.

    `auto_offset_reset` (`earliest` or `latest`) is the position before the first seek, and the one
    to use if the records at the requested offset have been deleted.
    """
    async with AIOKafkaConsumer(
        *names.TOPICS,
        **connection,
        auto_offset_reset=auto_offset_reset,
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_WAIT_MILLISECONDS,
    ) as consumer:
        yield consumer


async def offsets_at(consumer: AIOKafkaConsumer, moment: datetime, ends: Offsets) -> Offsets:
    """Each partition's first offset at `moment` or later; its end offset if there is none."""
    times = dict.fromkeys(ends, milliseconds(moment))
    found = await consumer.offsets_for_times(times) if times else {}
    return {
        partition: found[partition].offset if found.get(partition) else end
        for partition, end in ends.items()
    }


async def poll(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> list[tuple[TopicPartition, Any]]:
    """The next records of these partitions, each with its partition."""
    batches = await consumer.getmany(
        *partitions, timeout_ms=POLL_MILLISECONDS, max_records=MAX_POLL_RECORDS
    )
    return [(partition, record) for partition, batch in batches.items() for record in batch]


def milliseconds(moment: datetime) -> int:
    """The time in milliseconds since 1970, as Kafka's records have it."""
    return int(moment.timestamp() * 1000)


def headers_of(record: Any) -> dict[str, str]:
    return {name: text_of(value) for name, value in record.headers}


def text_of(value: bytes | None) -> str:
    """Decode the bytes, which may be invalid UTF-8: other producers may have written them."""
    return (value or b"").decode(errors="replace")


class KafkaRecords:
    """Implements `EventRecords` with Kafka. Raises KafkaError if no broker responds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, since: datetime, wanted: Collection[str]) -> FoundRecords:
        async with open_consumer(self._connection, auto_offset_reset="earliest") as consumer:
            partitions = consumer.assignment()
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            middle = await offsets_at(consumer, since, ends)
            found: dict[str, list[Record]] = defaultdict(list)
            async for record in _between(consumer, middle, ends, lambda _: True):
                found[record.key].append(record)
            keys = found.keys() | set(wanted)
            if keys:
                async for record in _between(consumer, begins, middle, keys.__contains__):
                    found[record.key].append(record)
        return FoundRecords(found, is_complete=not any(begins.values()))


async def _between(
    consumer: AIOKafkaConsumer, starts: Offsets, ends: Offsets, is_wanted: Callable[[str], bool]
) -> AsyncIterator[Record]:
    for partition, start in starts.items():
        consumer.seek(partition, start)
    while unread := [each for each in ends if await consumer.position(each) < ends[each]]:
        for partition, record in await poll(consumer, unread):
            if record.offset < ends[partition] and is_wanted(text_of(record.key)):
                yield read_record(record)


def read_record(record: Any) -> Record:
    event_id = headers_of(record).get("ce_id", "")
    return Record(event_id, record.topic, text_of(record.key), record.value or b"")
