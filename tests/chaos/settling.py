"""Waiting until nothing is under way any more: no payment, no workflow, no unread event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from temporalio.client import Client

from bootstrap.settings import Settings
from db.engine import create_engine
from db.payments import PaymentStore
from domain.names import TOPICS
from tests.chaos.faults import RUNNING

MINUTES = 30
POLL = 0.25


async def until_settled(settings: Settings, temporal: Client) -> bool:
    """Whether everything has ended; False if it has not after half an hour."""
    engine = create_engine(str(settings.database_url), application_name="chaos")
    store = PaymentStore(engine)
    try:
        async with asyncio.timeout(60 * MINUTES):
            while await _is_under_way(store, temporal) or await _is_unheard(settings):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(POLL)
    except TimeoutError:
        return False
    finally:
        await engine.dispose()
    return True


async def _is_under_way(store: PaymentStore, temporal: Client) -> bool:
    now = datetime.now(UTC)
    for pages in (store.pending_since(now), store.unpublished_since(now)):
        async for _ in pages:
            return True
    return (await temporal.count_workflows(RUNNING)).count > 0


@asynccontextmanager
async def _started(admin: AIOKafkaAdminClient) -> AsyncIterator[None]:
    await admin.start()
    yield
    await admin.close()


async def _is_unheard(settings: Settings) -> bool:
    """Whether Ordering has yet to consume an event."""
    servers = settings.kafka_bootstrap_servers
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=servers)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    async with consumer, _started(admin):
        ends = await consumer.end_offsets(consumer.assignment())
        heard = await admin.list_consumer_group_offsets("ordering")
    return any(end > (heard[each].offset if each in heard else 0) for each, end in ends.items())
