"""The topics in Kafka: created where they are missing, looked at where they are there."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from activities.adapters.kafka import Connection
from domain.errors import ErrorCode, PaymentError

PARTITIONS = 6
REPLICAS = 3
"""One may be lost while another is restarted, and every event is still there."""
MIN_INSYNC = "min.insync.replicas"
MIN_INSYNC_REPLICAS = 2
"""How many replicas hold an event before it counts as published: one may be lost at once."""
DONE = {0, TopicAlreadyExistsError.errno}
"""Codes that mean that the topic is there, be it that another process was quicker."""
LOOKS, LOOK_PAUSE_SECONDS = 50, 0.2
"""How often a broker is asked for a topic that was just created: 10 s, chosen, not measured."""

NO_REASON = "no reason is given"

log = logging.getLogger(__name__)


async def create_topics(
    connection: Connection, topics: Sequence[str], *, warn_of_few_brokers: bool = False
) -> None:
    """Create the topics that are missing, replicated as far as there are brokers.

    Logs a warning where events are kept by fewer replicas than there could be.
    Raises PaymentError: EVENT_REFUSED, naming topic and reason, if Kafka does not create a topic;
    EVENTS_UNAVAILABLE if it does not answer or does not let us in.
    """
    try:
        async with _admin(connection) as admin:
            brokers = len((await admin.describe_cluster())["brokers"])
            await _create_missing(admin, topics, min(REPLICAS, brokers))
            if brokers >= REPLICAS:
                await _check(admin, topics)
            elif warn_of_few_brokers:
                log.warning(
                    "Kafka has %d broker(s): with fewer than 3, events can be lost", brokers
                )
    except (KafkaError, OSError, TimeoutError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> PaymentError:
    message = f"Kafka is not available ({type(error).__name__})."
    return PaymentError(ErrorCode.EVENTS_UNAVAILABLE, message)


async def broker_hosts(connection: Connection) -> Sequence[str]:
    """Where the brokers themselves say that they are, which is where clients then go.

    Raises PaymentError(EVENTS_UNAVAILABLE) if Kafka does not answer or does not let us.
    """
    try:
        async with _admin(connection) as admin:
            return [each["host"] for each in (await admin.describe_cluster())["brokers"]]
    except (KafkaError, OSError, TimeoutError) as error:
        raise _unavailable(error) from error


@asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create_missing(
    admin: AIOKafkaAdminClient, topics: Collection[str], replicas: int
) -> None:
    missing = set(topics) - set(await admin.list_topics())
    if not missing:
        return
    configs = {MIN_INSYNC: str(MIN_INSYNC_REPLICAS)} if replicas == REPLICAS else {}
    wanted = [NewTopic(name, PARTITIONS, replicas, topic_configs=configs) for name in missing]
    _raise_refusals((await admin.create_topics(wanted)).topic_errors)
    await _until_known(admin, missing)


def _raise_refusals(topic_errors: Iterable[tuple[Any, ...]]) -> None:
    """The errors of single topics, which aiokafka does not raise."""
    refusals = [
        f"Kafka refuses the topic {name} ({for_code(code).__name__}): {message or NO_REASON}"
        for name, code, message in topic_errors
        if code not in DONE
    ]
    if refusals:
        raise PaymentError(ErrorCode.EVENT_REFUSED, "\n".join(refusals))


async def _until_known(admin: AIOKafkaAdminClient, topics: Collection[str]) -> None:
    """Look at the topics again: that they were created is only believed when they are there."""
    for _ in range(LOOKS):
        topics = set(topics) - set(await admin.list_topics())
        if not topics:
            return
        await asyncio.sleep(LOOK_PAUSE_SECONDS)
    names = ", ".join(sorted(topics))
    raise PaymentError(ErrorCode.EVENT_REFUSED, f"Kafka has not created the topics {names}.")


async def _check(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Warn of topics, made by others or long ago, that keep events less safely than ours."""
    insync = await _insync_of(admin, topics)
    for topic in await admin.describe_topics(list(topics)):
        name = topic["topic"]
        fewest = min((len(each["replicas"]) for each in topic["partitions"]), default=0)
        if fewest < REPLICAS or insync.get(name, MIN_INSYNC_REPLICAS) < MIN_INSYNC_REPLICAS:
            log.warning(
                "topic %s has %d replicas and %s=%s: events can be lost; %d and %d are better",
                *(name, fewest, MIN_INSYNC, insync.get(name, "?")),
                *(REPLICAS, MIN_INSYNC_REPLICAS),
            )


async def _insync_of(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    """`min.insync.replicas` by topic; without those that we may not look at."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {MIN_INSYNC: ""}) for name in topics]
    return {
        name: int(entry[1])
        for response in await admin.describe_configs(asked)
        for code, _, _, name, entries in response.resources
        if code == 0
        for entry in entries
        if entry[0] == MIN_INSYNC
    }
