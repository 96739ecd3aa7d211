"""Publishes events to Kafka at least once, with an id by which consumers skip copies.

aiokafka's idempotent producer never gives up a batch, and may stay unusable after an error
(aio-libs/aiokafka issues 1017 and 1101). So every wait here has a time limit, and a producer that
failed is replaced.
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
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from temporalio.common import MetricMeter

from activities.adapters.circuit_breaker import CircuitBreaker
from activities.metrics import EventMetrics
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event

START_TIMEOUT_SECONDS = 5
"""Time limit of a producer's start. All time limits here together are shorter than one try of
`publish_event` (a test compares them). Chosen, not measured."""
TOPIC_TIMEOUT_SECONDS = 1
"""How long to wait for a topic that a broker does not know: a broker that has just started may get
the list of topics late. It is shorter than `SLOW_SECONDS`, and than the time after which
`publish_event` records that publishing began, so that a missing topic counts as a refusal."""
SEND_TIMEOUT_SECONDS = 8
"""Time limit of a send: enough to elect another leader of a partition. Chosen, not measured."""
STOP_TIMEOUT_SECONDS = 2
"""Time limit for a producer to deliver what it holds, and to stop. Chosen, not measured."""

SLOW_SECONDS = 1.25
"""While one event takes longer than this, other events fail without being sent. Chosen, not
measured: a healthy broker takes some milliseconds."""
RETRY_PAUSE_SECONDS = 1
"""Time between two tries while Kafka is down. Chosen, not measured."""

REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)

_TRACER = trace.get_tracer(__name__)

Connection = Mapping[str, Any]
"""The keyword arguments of every aiokafka client: addresses of the brokers, security."""

log = logging.getLogger(__name__)


class KafkaPublisher:
    """Implements `EventPublisher`. Waits for all replicas; an order's events stay in their order.

    Raises PaymentError: EVENT_REFUSED if Kafka will never store the event, EVENTS_UNAVAILABLE if
    it is unknown whether it did. While Kafka is down, it raises EVENTS_UNAVAILABLE without a try.
    """

    def __init__(self, connection: Connection, meter: MetricMeter = MetricMeter.noop) -> None:
        self._connection = connection
        self._metrics = EventMetrics(meter)
        self._producer: asyncio.Task[AIOKafkaProducer] | None = None
        self._breaker = CircuitBreaker(
            "Kafka", slow_seconds=SLOW_SECONDS, pause_seconds=RETRY_PAUSE_SECONDS
        )

    async def publish(self, event: Event) -> None:
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": event.topic,
        }
        span = _TRACER.start_as_current_span(
            f"publish {event.topic}", kind=SpanKind.PRODUCER, attributes=attributes
        )
        with span, self._metrics.counted(event.topic):
            await self._publish(event)

    async def _publish(self, event: Event) -> None:
        if self._breaker.refuses:
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, "Kafka did not respond a moment ago.")
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
            return  # it never started, so there is nothing to stop
        self._producer = None
        await _stop(producer)

    async def _send(self, event: Event, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
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
        """The producer. Concurrent callers wait for the same start, and fail together."""
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
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _stop_without_delivery(producer)
            raise _unavailable(error) from error
        return producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """Stop a producer that failed. The next event starts a new one."""
        current = self._producer
        if current is not None and current.done() and current.result() is producer:
            self._producer = None
            await _stop_without_delivery(producer)


def headers(event: Event) -> Sequence[tuple[str, bytes]]:
    """Metadata of the event, as CloudEvents 1.0 says for Kafka's binary mode.

    If the process makes traces, `traceparent` (W3C Trace Context) names the span that publishes it.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event.id).encode()),
        ("ce_type", event.topic.encode()),
        ("ce_source", b"/payments"),
        ("ce_subject", str(event.subject).encode()),
        *((name, value.encode()) for name, value in carrier.items()),
    ]


async def ping(connection: Connection) -> None:
    """Raises KafkaError or OSError if no broker responds."""
    admin = AIOKafkaAdminClient(**connection)
    try:
        await admin.start()
    finally:
        await admin.close()


async def _require_topic(topic: str, producer: AIOKafkaProducer) -> None:
    """Raises PaymentError(EVENT_REFUSED) if a broker responds and does not have the topic.

    If no broker responds, it returns, and sending fails.
    """
    try:
        async with asyncio.timeout(TOPIC_TIMEOUT_SECONDS):
            await producer.partitions_for(topic)
    except REFUSALS as error:
        raise _refused(error) from error
    except (KafkaError, TimeoutError) as error:
        if await _is_missing(topic, producer):
            message = f"Kafka has no topic {topic}."
            raise PaymentError(ErrorCode.EVENT_REFUSED, message) from error


async def _is_missing(topic: str, producer: AIOKafkaProducer) -> bool:
    """True only if a broker responds and does not have the topic."""
    try:
        async with asyncio.timeout(TOPIC_TIMEOUT_SECONDS):
            return topic not in (await producer.client.fetch_all_metadata()).topics()
    except (KafkaError, TimeoutError):
        return False


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await producer.stop()
    except (KafkaError, TimeoutError) as error:
        log.warning("a Kafka producer did not stop cleanly: %s", type(error).__name__)
        await _stop_without_delivery(producer)


async def _stop_without_delivery(producer: AIOKafkaProducer) -> None:
    """Stop the producer without delivering what it still holds, and cancel all its tasks.

    `stop()` delivers first, and waits for ever if a broker does not respond.
    """
    producer._closed = True  # noqa: SLF001 - else aiokafka warns of a producer that was not stopped
    tasks = _tasks_of(producer)
    for task in tasks:
        task.cancel()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await asyncio.gather(*tasks, return_exceptions=True)
            await producer.client.close()
    except (KafkaError, TimeoutError) as error:
        log.warning("a Kafka producer could not be stopped: %s", type(error).__name__)


def _tasks_of(producer: AIOKafkaProducer) -> list[asyncio.Task[Any]]:
    """The tasks that the producer has started: those that run a method of one of its objects.

    aiokafka keeps no list of them: a task that sends is a local variable of the sender's loop.
    """
    owners = (
        producer._sender,  # noqa: SLF001 - no public API has its tasks
        producer._message_accumulator,  # noqa: SLF001 - as above
        producer.client,
    )
    return [task for task in asyncio.all_tasks() if any(_owner_of(task) is each for each in owners)]


def _owner_of(task: asyncio.Task[Any]) -> object:
    """The object whose method the task runs; None if it runs something else."""
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
