"""Events to Kafka, at least once, with an id that lets consumers take them once.

aiokafka's idempotent producer never gives up a batch and can stay poisoned after an error
(aio-libs/aiokafka issues 1017 and 1101), so every wait here is bounded, and a producer that
failed is thrown away.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
)

from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event

START_SECONDS = 5
SEND_SECONDS = 8
STOP_SECONDS = 2

PARTITIONS = 6
MAX_REPLICAS = 3

REFUSALS = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)

Connection = Mapping[str, Any]
"""What every client of aiokafka is given: where the brokers are, how they are spoken to."""

log = logging.getLogger(__name__)


class KafkaPublisher:
    """Publishes with acks from all replicas, keyed by order: an order's events keep their order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._producer: asyncio.Task[AIOKafkaProducer] | None = None

    async def publish(self, event: Event) -> None:
        producer = await self._started_producer()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await producer.send_and_wait(
                    event.topic,
                    key=event.key.encode(),
                    value=exact_json.dumps(event.value),
                    headers=headers(event),
                )
        except REFUSALS as error:
            raise PaymentError(
                ErrorCode.EVENT_REFUSED, f"Kafka refused the event ({type(error).__name__})."
            ) from error
        except (KafkaError, TimeoutError) as error:
            missing = await _is_missing(event.topic, producer)
            await self._discard(producer)
            if missing:
                raise PaymentError(
                    ErrorCode.EVENT_REFUSED, f"Kafka has no topic {event.topic}."
                ) from error
            raise _unavailable(error) from error

    async def close(self) -> None:
        if self._producer is not None:
            await self._discard(await self._started_producer())

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
            await _stop(producer)
            raise _unavailable(error) from error
        return producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        current = self._producer
        if current is not None and current.done() and current.result() is producer:
            self._producer = None
        await _stop(producer)


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


async def create_topics(connection: Connection, topics: Sequence[str]) -> None:
    """Create the topics that are missing, replicated as far as there are brokers.

    Raises PaymentError(EVENTS_UNAVAILABLE) if Kafka does not answer or does not let us.
    """
    admin = AIOKafkaAdminClient(**connection)
    try:
        await admin.start()
        missing = set(topics) - set(await admin.list_topics())
        replicas = min(MAX_REPLICAS, len((await admin.describe_cluster())["brokers"]))
        await admin.create_topics([NewTopic(name, PARTITIONS, replicas) for name in missing])
    except TopicAlreadyExistsError:
        log.info("another process has just created the topics")
    except (KafkaError, OSError) as error:
        raise _unavailable(error) from error
    finally:
        await admin.close()


async def broker_hosts(connection: Connection) -> Sequence[str]:
    """Where the brokers themselves say that they are, which is where clients then go.

    Raises PaymentError(EVENTS_UNAVAILABLE) if Kafka does not answer or does not let us.
    """
    admin = AIOKafkaAdminClient(**connection)
    try:
        await admin.start()
        return [each["host"] for each in (await admin.describe_cluster())["brokers"]]
    except (KafkaError, OSError) as error:
        raise _unavailable(error) from error
    finally:
        await admin.close()


async def ping(connection: Connection) -> None:
    """Raises unless a broker answers."""
    admin = AIOKafkaAdminClient(**connection)
    try:
        await admin.start()
    finally:
        await admin.close()


async def _is_missing(topic: str, producer: AIOKafkaProducer) -> bool:
    """True only if a broker answers and knows no such topic."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            return topic not in (await producer.client.fetch_all_metadata()).topics()
    except (KafkaError, TimeoutError):
        return False


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (KafkaError, TimeoutError) as error:
        log.warning("a Kafka producer did not stop cleanly: %s", type(error).__name__)


def _unavailable(error: BaseException) -> PaymentError:
    return PaymentError(
        ErrorCode.EVENTS_UNAVAILABLE, f"Kafka is not available ({type(error).__name__})."
    )
