"""Sets the largest size of a record in a topic, so that Kafka refuses larger events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.support.system import System

DEFAULT_MESSAGE_BYTES = 1_048_588
"""The default of a topic's setting `max.message.bytes`, the largest size of a record."""


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
    change = {"max.message.bytes": str(size)}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=change)])
