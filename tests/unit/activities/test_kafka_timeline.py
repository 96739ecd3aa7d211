"""The payment's records in Kafka: found although clocks differ, by reading no more than needed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

import pytest
from aiokafka.errors import KafkaError

from activities.adapters import kafka_records, kafka_timeline
from activities.adapters.kafka_timeline import KafkaTimeline
from domain.payment import Announcement, Payment
from domain.refund import Refund
from tests.support.builders import HOUR, NOON, a_payment, a_refund

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PAID = a_payment().succeeded(NOON + 2 * SECOND).announced()
ORDERS_KEY = str(PAID.order_id).encode()


class Record(NamedTuple):
    at: datetime
    subject: str
    key: bytes = ORDERS_KEY
    topic: str = "payment-succeeded"
    partition: int = 0
    offset: int = 0

    @property
    def timestamp(self) -> int:
        return int(self.at.timestamp() * 1000)

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        return [("ce_id", b"event"), ("ce_subject", self.subject.encode())]


class FakeConsumer:
    """A consumer of two partitions. It returns ten records at a time."""

    def __init__(self, *partitions: Sequence[Record]) -> None:
        self._logs = {
            number: [each._replace(partition=number, offset=at) for at, each in enumerate(records)]
            for number, records in enumerate(partitions)
        }
        self._positions = dict.fromkeys(self._logs, 0)
        self.read: list[Record] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def assignment(self) -> set[int]:
        return set(self._logs)

    async def end_offsets(self, partitions: set[int]) -> dict[int, int]:
        return {each: len(self._logs[each]) for each in partitions}

    async def offsets_for_times(self, times: Mapping[int, int]) -> dict[int, Record | None]:
        """The first record at the time or later, or None, as in aiokafka."""
        return {
            number: next((each for each in self._logs[number] if each.timestamp >= time), None)
            for number, time in times.items()
        }

    def seek(self, partition: int, offset: int) -> None:
        self._positions[partition] = offset

    async def position(self, partition: int) -> int:
        return self._positions[partition]

    async def getmany(self, *partitions: int, **_: Any) -> dict[int, list[Record]]:
        batch = {}
        for each in partitions:
            position = self._positions[each]
            batch[each] = self._logs[each][position : position + 10]
            self._positions[each] = position + len(batch[each])
            self.read += batch[each]
        return batch


def others(begin: datetime, count: int, every: timedelta = SECOND) -> list[Record]:
    return [Record(begin + number * every, "other", b"other") for number in range(count)]


def of(payment: Payment, at: datetime) -> Record:
    return Record(at, str(payment.id))


async def found_in(
    monkeypatch: pytest.MonkeyPatch,
    consumer: FakeConsumer,
    payment: Payment = PAID,
    refunds: Sequence[Refund] = (),
) -> list[datetime]:
    monkeypatch.setattr(kafka_records, "AIOKafkaConsumer", lambda *_, **__: consumer)
    return [entry.at for entry in await KafkaTimeline({})(payment, refunds)]


@pytest.mark.parametrize("minutes", [-4, -1, 1, 4])
async def test_record_is_found_although_clocks_differ(
    monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    told_at = NOON + minutes * MINUTE
    log = sorted([*others(NOON - HOUR, 7200), of(PAID, told_at)])

    assert await found_in(monkeypatch, FakeConsumer(log, others(NOON, 10))) == [told_at]


async def test_records_of_other_payments_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = a_payment(order_id=PAID.order_id)
    log = [of(earlier, NOON), of(PAID, NOON), of(PAID, NOON)._replace(key=b"another order")]

    assert await found_in(monkeypatch, FakeConsumer(log)) == [NOON]


async def test_only_what_is_near_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    refund = a_refund(PAID).succeeded(NOON + 24 * HOUR).announced()
    refund = refund.model_copy(update={"created_at": NOON + 24 * HOUR})
    log = sorted(
        [
            *others(NOON - 24 * HOUR, 3 * 24 * 60, MINUTE),
            of(PAID, NOON),
            Record(NOON + 24 * HOUR, str(refund.id)),
        ]
    )
    consumer = FakeConsumer(log)

    assert await found_in(monkeypatch, consumer, refunds=[refund]) == [NOON, NOON + 24 * HOUR]
    assert len(consumer.read) < 60  # of 4322


async def test_record_that_came_late_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    late = NOON + 2 * HOUR
    log = sorted([*others(NOON, 4 * 3600), of(PAID, late)])

    assert await found_in(monkeypatch, FakeConsumer(log)) == [late]


async def test_record_that_cannot_exist_is_not_looked_for_beyond_its_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = FakeConsumer(others(NOON, 4 * 3600))

    assert await found_in(monkeypatch, consumer, PAID.announced(Announcement.DUE)) == []
    assert len(consumer.read) < 400


async def test_too_much_to_read_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_timeline, "MAX_RECORDS", 1000)
    consumer = FakeConsumer(others(NOON, 10_000))

    with pytest.raises(KafkaError):
        await found_in(monkeypatch, consumer)
    assert len(consumer.read) <= 1010


async def test_empty_topics_have_no_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await found_in(monkeypatch, FakeConsumer([], [])) == []
