"""What Kafka tells of a payment: the records of its events, found by time and key."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer

from activities.adapters.kafka import Connection
from domain import names
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

MOST_AT_ONCE = 1000


class KafkaTimeline:
    """Reads the topics from the payment's time on to their end.

    Raises KafkaError, and takes as long as there is to read: the caller limits it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        subjects = {str(payment.id), *(str(refund.id) for refund in refunds)}
        consumer = AIOKafkaConsumer(
            *names.TOPICS,
            **self._connection,
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
        )
        async with consumer:
            return [
                _entry(record)
                async for record in _records(consumer, payment)
                if _headers(record).get("ce_subject") in subjects
            ]


async def _records(consumer: AIOKafkaConsumer, payment: Payment) -> AsyncIterator[Any]:
    """Those that have the order's key, from the payment's time to the end."""
    ends = await consumer.end_offsets(consumer.assignment())
    since = int(payment.created_at.timestamp() * 1000)
    starts = await consumer.offsets_for_times(dict.fromkeys(ends, since))
    for partition, end in ends.items():
        consumer.seek(partition, starts[partition].offset if starts[partition] else end)
    while unread := [each for each in ends if await consumer.position(each) < ends[each]]:
        batch = await consumer.getmany(*unread, timeout_ms=200, max_records=MOST_AT_ONCE)
        for records in batch.values():
            for record in records:
                if record.key == str(payment.order_id).encode():
                    yield record


def _entry(record: Any) -> Entry:
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    place = f"{_headers(record)['ce_id']} at {record.topic}-{record.partition}@{record.offset}"
    return Entry(at, Source.KAFKA, f"record of {record.topic}", place)


def _headers(record: Any) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers}
