"""Waits until nothing is running any more: no payment, no workflow, no unread event."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from audit.runs import EVERY_PAYMENT
from bootstrap.settings import Settings
from db.engine import create_engine
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from domain.names import MEMO_PAYMENT_ID, TOPICS
from tests.proofs.chaos.faults import RUNNING

MINUTES = 30
ROUND_MINUTES = 3
"""The longest wait for a round of the reconciliation. One begins every minute."""
POLL = 0.25
NEVER = datetime.min.replace(tzinfo=UTC)


async def until_idle(settings: Settings, temporal: Client) -> bool:
    """Wait until everything has ended. Returns False if that takes more than half an hour."""
    engine = create_engine(str(settings.database_url), application_name="chaos")
    store = PaymentStore(engine)
    began = datetime.now(UTC)
    try:
        async with asyncio.timeout(60 * MINUTES):
            while await _is_under_way(store, temporal) or await _is_unread(settings):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(POLL)
        await _until_reconciled(engine, began)
    except TimeoutError:
        return False
    finally:
        await engine.dispose()
    return True


async def _until_reconciled(engine: AsyncEngine, began: datetime) -> None:
    """Wait for a completed round since `began`. If none completes in time, the audit reports it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(60 * ROUND_MINUTES):
            rounds = ReconciliationRounds(engine)
            while (await rounds.last_completed() or NEVER) < began:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(POLL)


async def resumed_payments(temporal: Client) -> dict[str, int]:
    """The number of workflow runs of each payment that had lost its workflow, by payment id."""
    runs: Counter[str] = Counter()
    async for run in temporal.list_workflows(EVERY_PAYMENT):
        runs[str(await run.memo_value(MEMO_PAYMENT_ID, ""))] += 1
    return {payment: count for payment, count in runs.items() if payment and count > 1}


async def _is_under_way(store: PaymentStore, temporal: Client) -> bool:
    now = datetime.now(UTC)
    for pages in (store.pending_before(now), store.unpublished_before(now)):
        async for _ in pages:
            return True
    return (await temporal.count_workflows(RUNNING)).count > 0


@asynccontextmanager
async def _started(admin: AIOKafkaAdminClient) -> AsyncIterator[None]:
    await admin.start()
    yield
    await admin.close()


async def _is_unread(settings: Settings) -> bool:
    """Whether there is an event that Ordering has not consumed yet."""
    servers = settings.kafka_bootstrap_servers
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=servers)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    async with consumer, _started(admin):
        ends = await consumer.end_offsets(consumer.assignment())
        read = await admin.list_consumer_group_offsets("ordering")
    return any(end > (read[each].offset if each in read else 0) for each, end in ends.items())
