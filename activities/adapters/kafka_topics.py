"""Creates the topics that Kafka does not have, and checks the settings of those that it has."""

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
"""Partitions of a topic, and so the most consumers of one group. Chosen, not measured."""
REPLICAS = 3
"""Every event is still there if one replica is lost while another restarts."""
MIN_INSYNC = "min.insync.replicas"
MIN_INSYNC_REPLICAS = 2
"""Replicas that store an event before it counts as published, so that one of them may be lost."""
CREATED = {0, TopicAlreadyExistsError.errno}
"""Error codes after which the topic exists: another process may have created it first."""
MAX_LOOKS, LOOK_PAUSE_SECONDS = 50, 0.2
"""How many times to look for a new topic, and the pause between two times: 10 s in all. Chosen, not
measured."""

NO_REASON = "no reason is given"

log = logging.getLogger(__name__)


async def create_topics(
    connection: Connection, topics: Sequence[str], *, warn_of_few_brokers: bool = False
) -> None:
    """Create the missing topics, with three replicas if there are enough brokers.

    Logs a warning for a topic with fewer replicas than three, or with fewer in sync than two.
    Raises PaymentError: EVENT_REFUSED, naming topic and reason, if Kafka does not create a topic;
    EVENTS_UNAVAILABLE if it does not respond or does not accept our credentials.
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
    """The host names that the brokers advertise. Clients connect to these.

    Raises PaymentError(EVENTS_UNAVAILABLE) if Kafka does not respond or refuses us.
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
    """Raise PaymentError(EVENT_REFUSED) for refused topics: aiokafka returns their errors."""
    refusals = [
        f"Kafka refuses the topic {name} ({for_code(code).__name__}): {message or NO_REASON}"
        for name, code, message in topic_errors
        if code not in CREATED
    ]
    if refusals:
        raise PaymentError(ErrorCode.EVENT_REFUSED, "\n".join(refusals))


async def _until_known(admin: AIOKafkaAdminClient, topics: Collection[str]) -> None:
    """Wait until a broker has the topics, since a response without an error does not prove it."""
    for _ in range(MAX_LOOKS):
        topics = set(topics) - set(await admin.list_topics())
        if not topics:
            return
        await asyncio.sleep(LOOK_PAUSE_SECONDS)
    names = ", ".join(sorted(topics))
    raise PaymentError(ErrorCode.EVENT_REFUSED, f"Kafka has not created the topics {names}.")


async def _check(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Log a warning for topics, created earlier or by others, that may lose events."""
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
    """`min.insync.replicas` by topic. Topics whose settings we may not read are left out."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {MIN_INSYNC: ""}) for name in topics]
    return {
        name: int(entry[1])
        for response in await admin.describe_configs(wanted)
        for code, _, _, name, entries in response.resources
        if code == 0
        for entry in entries
        if entry[0] == MIN_INSYNC
    }
