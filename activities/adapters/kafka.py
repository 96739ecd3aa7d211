"""Events to Kafka, at least once, with an id that lets consumers take them once.

aiokafka's idempotent producer never gives up a batch and can stay poisoned after an error
(aio-libs/aiokafka issues 1017 and 1101), so every wait here is bounded, and a producer that
failed is ended and replaced.
"""

import asyncio
import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from activities.adapters.circuit_breaker import CircuitBreaker
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event

START_SECONDS = 5
TOPIC_SECONDS = 0.5
"""How long a broker that answers may not know a topic. A topic that is missing must be found before
`SLOW_SECONDS` have passed, and before `publish_event` notes that the event was begun."""
SEND_SECONDS = 8
STOP_SECONDS = 2

SLOW_SECONDS = 1
"""How long an event may take before others are not sent but fail at once. Chosen, not measured: a
healthy broker takes some milliseconds."""
PAUSE_SECONDS = 1
"""How often Kafka is tried while it is down. Chosen, not measured."""

REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)

Connection = Mapping[str, Any]
"""What every client of aiokafka is given: where the brokers are, how they are spoken to."""

log = logging.getLogger(__name__)


class KafkaPublisher:
    """Publishes with acks from all replicas, keyed by order: an order's events keep their order.

    Raises PaymentError: EVENT_REFUSED if Kafka will never take the event, EVENTS_UNAVAILABLE if it
    is not known whether it has. While Kafka is known to be down, that is said without a try.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._producer: asyncio.Task[AIOKafkaProducer] | None = None
        self._breaker = CircuitBreaker(
            "Kafka", slow_seconds=SLOW_SECONDS, pause_seconds=PAUSE_SECONDS
        )

    async def publish(self, event: Event) -> None:
        if self._breaker.refuses:
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, "Kafka did not answer just now.")
        with self._breaker.watching():
            producer = await self._started_producer()
            await _require_topic(event.topic, producer)
            await self._send(event, producer)

    async def close(self) -> None:
        if self._producer is None:
            return
        try:
            producer = await self._started_producer()
        except PaymentError:
            return  # it has not started, and nothing of it is left
        self._producer = None
        await _stop(producer)

    async def _send(self, event: Event, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await producer.send_and_wait(
                    event.topic,
                    key=event.key.encode(),
                    value=exact_json.dumps(event.value),
                    headers=headers(event),
                )
        except REFUSALS as error:
            raise _refused(error) from error
        except (KafkaError, TimeoutError) as error:
            await self._discard(producer)
            raise _unavailable(error) from error

    async def _started_producer(self) -> AIOKafkaProducer:
        """The producer; all who ask while it starts wait for one start, and fail together."""
        if self._producer is None:
            self._producer = asyncio.create_task(self._start())
        starting = self._producer
        try:
            return await asyncio.shield(starting)
        except PaymentError:
            if self._producer is starting:
                self._producer = None
            raise

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**self._connection, acks="all", enable_idempotence=True)
        try:
            async with asyncio.timeout(START_SECONDS):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _end(producer)
            raise _unavailable(error) from error
        return producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """End a producer that failed, for all who use it; the next event gets a new one."""
        current = self._producer
        if current is not None and current.done() and current.result() is producer:
            self._producer = None
            await _end(producer)


def headers(event: Event) -> Sequence[tuple[str, bytes]]:
    """CloudEvents 1.0 in Kafka's binary mode: metadata that the body has no room for."""
    return [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.id).encode()),
        ("ce_type", event.topic.encode()),
        ("ce_source", b"/payments"),
        ("ce_subject", str(event.subject).encode()),
    ]


async def ping(connection: Connection) -> None:
    """Raises unless a broker answers."""
    admin = AIOKafkaAdminClient(**connection)
    try:
        await admin.start()
    finally:
        await admin.close()


async def _require_topic(topic: str, producer: AIOKafkaProducer) -> None:
    """Raises PaymentError(EVENT_REFUSED) if a broker answers and knows no such topic.

    That the topic cannot be learned is no refusal: sending fails then.
    """
    try:
        async with asyncio.timeout(TOPIC_SECONDS):
            await producer.partitions_for(topic)
    except REFUSALS as error:
        raise _refused(error) from error
    except (KafkaError, TimeoutError) as error:
        if await _is_missing(topic, producer):
            message = f"Kafka has no topic {topic}."
            raise PaymentError(ErrorCode.EVENT_REFUSED, message) from error


async def _is_missing(topic: str, producer: AIOKafkaProducer) -> bool:
    """True only if a broker answers and knows no such topic."""
    try:
        async with asyncio.timeout(TOPIC_SECONDS):
            return topic not in (await producer.client.fetch_all_metadata()).topics()
    except (KafkaError, TimeoutError):
        return False


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (KafkaError, TimeoutError) as error:
        log.warning("a Kafka producer did not stop cleanly: %s", type(error).__name__)
        await _end(producer)


async def _end(producer: AIOKafkaProducer) -> None:
    """End the producer without delivering what it still holds. Nothing of it sends or lives on.

    `stop()` delivers first, and does not end while a broker does not answer.
    """
    producer._closed = True  # noqa: SLF001 - or aiokafka reports that nobody has stopped it
    tasks = _tasks_of(producer)
    for task in tasks:
        task.cancel()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await asyncio.gather(*tasks, return_exceptions=True)
            await producer.client.close()
    except (KafkaError, TimeoutError) as error:
        log.warning("a Kafka producer could not be ended: %s", type(error).__name__)


def _tasks_of(producer: AIOKafkaProducer) -> list[asyncio.Task[Any]]:
    """The tasks that the producer has started, found by whose methods they run.

    aiokafka keeps no list of them: a task that sends is known only to the sender's own frame.
    """
    owners = (
        producer._sender,  # noqa: SLF001 - nothing public tells its tasks
        producer._message_accumulator,  # noqa: SLF001 - as above
        producer.client,
    )
    return [task for task in asyncio.all_tasks() if any(_self(task) is each for each in owners)]


def _self(task: asyncio.Task[Any]) -> object:
    coroutine = task.get_coro()
    if not inspect.iscoroutine(coroutine):
        return None
    return inspect.getcoroutinelocals(coroutine).get("self")


def _refused(error: KafkaError) -> PaymentError:
    message = f"Kafka refused the event ({type(error).__name__})."
    return PaymentError(ErrorCode.EVENT_REFUSED, message)


def _unavailable(error: BaseException) -> PaymentError:
    return PaymentError(
        ErrorCode.EVENTS_UNAVAILABLE, f"Kafka is not available ({type(error).__name__})."
    )
