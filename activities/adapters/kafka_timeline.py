"""What Kafka tells of a payment: the records of its events, found by time, key and subject."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from activities.adapters.kafka import Connection
from domain import names
from domain.payment import Announcement, Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

MARGIN = timedelta(minutes=5)
"""How far a record's time may be from the payment's: they are by different clocks. Chosen."""
MOST_RECORDS = 20_000
"""Maximum records read for one timeline, so that the process stays free. Chosen, not measured."""
MOST_AT_ONCE = 1000
ANNOUNCED = (Announcement.BEGUN, Announcement.MADE)
"""With these a payment may have a record."""


class Window(NamedTuple):
    """A time in which records are looked for."""

    start: datetime
    end: datetime
    awaited: set[str]
    """Subjects that should have a record. If one came late, reading goes on after the end."""


class KafkaTimeline:
    """Reads the topics around each time at which something happened to the payment.

    Raises KafkaError, also if there is more to read than `MOST_RECORDS`.
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
            reading = _Reading(consumer, str(payment.order_id).encode(), subjects)
            for window in _windows(payment, refunds):
                await reading.read(window)
        return [_entry(record) for record in reading.found.values()]


class _Reading:
    """Read ranges of offsets, and keep each record of the given subjects once."""

    def __init__(self, consumer: AIOKafkaConsumer, key: bytes, subjects: set[str]) -> None:
        self.found: dict[tuple[str, int, int], Any] = {}
        self._consumer = consumer
        self._key = key
        self._subjects = subjects
        self._count = 0

    async def read(self, window: Window) -> None:
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        starts = await self._consumer.offsets_for_times(dict.fromkeys(ends, _ms(window.start)))
        unread = {each for each in ends if starts[each]}
        for partition in unread:
            self._consumer.seek(partition, starts[partition].offset)
        missing, passed = set(window.awaited), set()
        while unread := {
            each
            for each in unread
            if (missing or each not in passed) and await self._consumer.position(each) < ends[each]
        }:
            async for partition, record in self._records(unread):
                if record.timestamp > _ms(window.end):
                    passed.add(partition)
                missing.discard(self._keep(record))

    async def _records(self, partitions: set[Any]) -> AsyncIterator[tuple[Any, Any]]:
        batch = await self._consumer.getmany(*partitions, timeout_ms=200, max_records=MOST_AT_ONCE)
        for partition, records in batch.items():
            self._count += len(records)
            for record in records:
                yield partition, record
        if self._count > MOST_RECORDS:
            raise KafkaError(f"There are more than {MOST_RECORDS} records to read.")

    def _keep(self, record: Any) -> str:
        """The record's subject if it is one of ours; the record is kept then."""
        if record.key != self._key:
            return ""
        subject = _headers(record).get("ce_subject", "")
        if subject in self._subjects:
            self.found[record.topic, record.partition, record.offset] = record
        return subject


def _windows(payment: Payment, refunds: Sequence[Refund]) -> list[Window]:
    """The windows in the order of time. Windows that overlap are joined."""
    windows: list[Window] = []
    for at, awaited in sorted(_moments(payment, refunds), key=lambda each: each[0]):
        if windows and at - MARGIN <= windows[-1].end:
            windows[-1] = windows[-1]._replace(
                end=at + MARGIN, awaited=windows[-1].awaited | awaited
            )
        else:
            windows.append(Window(at - MARGIN, at + MARGIN, awaited))
    return windows


def _moments(payment: Payment, refunds: Sequence[Refund]) -> Iterator[tuple[datetime, set[str]]]:
    """The times at which something happened, each with the subjects that have a record of it."""
    yield payment.created_at, set()
    if payment.processed_at is not None:
        has_record = payment.announcement in ANNOUNCED
        yield payment.processed_at, {str(payment.id)} if has_record else set()
    for refund in refunds:
        yield refund.created_at, set()
        if refund.processed_at is not None:
            yield refund.processed_at, {str(refund.id)} if refund.is_announced else set()


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _entry(record: Any) -> Entry:
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    place = f"{_headers(record)['ce_id']} at {record.topic}-{record.partition}@{record.offset}"
    return Entry(at, Source.KAFKA, f"record of {record.topic}", place)


def _headers(record: Any) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers}
