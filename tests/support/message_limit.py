"""Sets the largest size of a record in a topic, so that Kafka refuses larger events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.support.system import System
from tests.support.waiting import eventually

SETTING = "max.message.bytes"
"""A topic's setting: the largest size of a record."""
DEFAULT_MESSAGE_BYTES = 1_048_588


@asynccontextmanager
async def largest_message(system: System, topic: str, size: int) -> AsyncIterator[None]:
    """In the block, the broker refuses records of this topic that are larger than `size` bytes."""
    servers = system.stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await _set_largest_message(admin, topic, size)
        yield
    finally:
        await _set_largest_message(admin, topic, DEFAULT_MESSAGE_BYTES)
        await admin.close()


async def _set_largest_message(admin: AIOKafkaAdminClient, topic: str, size: int) -> None:
    """Change the setting, and wait until the broker has it: it gets it from the controller."""
    change = {SETTING: str(size)}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=change)])
    asked = ConfigResource(ConfigResourceType.TOPIC, topic, configs={SETTING: None})

    async def has_it() -> bool:
        [answer] = await admin.describe_configs([asked])
        [[*_, settings]] = answer.resources
        return [value for _, value, *_ in settings] == [str(size)]

    await eventually("the broker has the setting", has_it)
