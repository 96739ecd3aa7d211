"""Kafka's part of a payment's timeline: its events, found by time, key and subject."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from activities.adapters.kafka import Connection
from activities.adapters.kafka_records import (
    headers_of,
    milliseconds,
    offsets_at,
    open_consumer,
    poll,
)
from domain.payment import Announcement, Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

CLOCK_MARGIN = timedelta(minutes=5)
"""How much a record's time may differ from the payment's, because their clocks differ. Chosen, not
measured."""
MAX_RECORDS = 20_000
"""Most records that are read for one timeline, so that one request does not keep the process busy.
Chosen, not measured."""
MAY_HAVE_RECORD = (Announcement.BEGUN, Announcement.MADE)
"""If a payment has one of these announcements, its event may be in Kafka."""


class Window(NamedTuple):
    """A period of time in which records are looked for."""

    start: datetime
    end: datetime
    awaited: set[str]
    """Subjects that should have a record. While one is missing, reading continues after `end`."""


class KafkaTimeline:
    """Reads the topics around each time at which something happened to the payment.

    Raises KafkaError, also if there are more than `MAX_RECORDS` to read.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        subjects = {str(payment.id), *(str(refund.id) for refund in refunds)}
        async with open_consumer(self._connection, auto_offset_reset="latest") as consumer:
            reader = _WindowReader(consumer, str(payment.order_id).encode(), subjects)
            for window in _windows(payment, refunds):
                await reader.read(window)
        return [_entry(record) for record in reader.found.values()]


class _WindowReader:
    """Reads windows, and keeps each record of the given key and subjects once."""

    def __init__(self, consumer: AIOKafkaConsumer, key: bytes, subjects: set[str]) -> None:
        self.found: dict[tuple[str, int, int], Any] = {}
        """Records by topic, partition and offset."""
        self._consumer = consumer
        self._key = key
        self._subjects = subjects
        self._count = 0

    async def read(self, window: Window) -> None:
        """Keep the window's records. Raises KafkaError after more than `MAX_RECORDS` in all."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        starts = await offsets_at(self._consumer, window.start, ends)
        for partition, start in starts.items():
            self._consumer.seek(partition, start)
        unread, missing, passed = set(ends), set(window.awaited), set()
        while unread := {
            each
            for each in unread
            if (missing or each not in passed) and await self._consumer.position(each) < ends[each]
        }:
            for partition, record in await poll(self._consumer, unread):
                self._count += 1
                if record.timestamp > milliseconds(window.end):
                    passed.add(partition)
                missing.discard(self._keep(record))
            if self._count > MAX_RECORDS:
                raise KafkaError(f"There are more than {MAX_RECORDS} records to read.")

    def _keep(self, record: Any) -> str:
        """Keep the record if it has our key and one of our subjects.

        Returns its subject; an empty text if it has another key.
        """
        if record.key != self._key:
            return ""
        subject = headers_of(record).get("ce_subject", "")
        if subject in self._subjects:
            self.found[record.topic, record.partition, record.offset] = record
        return subject


def _windows(payment: Payment, refunds: Sequence[Refund]) -> list[Window]:
    """The windows, earliest first. Windows that overlap are joined."""
    windows: list[Window] = []
    for at, awaited in sorted(_moments(payment, refunds), key=lambda each: each[0]):
        if windows and at - CLOCK_MARGIN <= windows[-1].end:
            windows[-1] = windows[-1]._replace(
                end=at + CLOCK_MARGIN, awaited=windows[-1].awaited | awaited
            )
        else:
            windows.append(Window(at - CLOCK_MARGIN, at + CLOCK_MARGIN, awaited))
    return windows


def _moments(payment: Payment, refunds: Sequence[Refund]) -> Iterator[tuple[datetime, set[str]]]:
    """The times at which something happened, each with the subjects that have a record of it."""
    yield payment.created_at, set()
    if payment.processed_at is not None:
        has_record = payment.announcement in MAY_HAVE_RECORD
        yield payment.processed_at, {str(payment.id)} if has_record else set()
    for refund in refunds:
        yield refund.created_at, set()
        if refund.processed_at is not None:
            yield refund.processed_at, {str(refund.id)} if refund.is_announced else set()


def _entry(record: Any) -> Entry:
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    place = f"{headers_of(record)['ce_id']} at {record.topic}-{record.partition}@{record.offset}"
    return Entry(at, Source.KAFKA, f"record of {record.topic}", place)
