"""What `workflows.prepare` sets up, and the rules that the database enforces."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from temporalio.client import (
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from activities.adapters.kafka_topics import create_topics
from bootstrap import kafka
from bootstrap.settings import Settings
from db.migrate import migrate
from domain import names
from domain.names import TOPIC_SUCCEEDED
from tests.support.stacks import settings_of
from tests.support.system import Order, System, an_unknown_order
from workflows import prepare as preparation
from workflows.reconciliation import EVERY, MAX_ROUND, schedule

SCHEMA = """
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_schema = 'bc_payment'
    UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes
        WHERE schemaname = 'bc_payment'
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), ''
        FROM pg_constraint WHERE connamespace = 'bc_payment'::regnamespace
    UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), ''
        FROM pg_trigger WHERE tgrelid = 'bc_payment.payments'::regclass
    ORDER BY 1, 2
"""
INSERT = """
    INSERT INTO bc_payment.payments (id, order_id, customer_id, amount_minor, currency,
        currency_exponent, payment_method, status, error_code, created_at, processed_at,
        is_simulated)
    VALUES ($1, $2, $3, 15000, 'USD', 2, 'credit_card', $4, $5, now(), $6, true)
"""
UPDATE = """
    UPDATE bc_payment.payments SET status = $2,
        processed_at = CASE WHEN $2 <> 'pending' THEN now() END,
        error_code = CASE WHEN $2 = 'failed' THEN 'CARD_DECLINED' END
    WHERE id = $1
"""


async def test_preparing_again_and_at_once_changes_nothing(system: System) -> None:
    before = await system.database.fetch(SCHEMA)
    settings = settings_of(system.stack)

    await asyncio.gather(*(prepare(system, settings) for _ in range(2)))

    assert await system.database.fetch(SCHEMA) == before


async def prepare(system: System, settings: Settings) -> None:
    await asyncio.gather(
        migrate(str(settings.database_url)),
        create_topics(kafka.connection(settings), [TOPIC_SUCCEEDED]),
        preparation._register_search_attributes(system.temporal),
    )


async def test_preparing_updates_the_schedule_and_leaves_it_paused(system: System) -> None:
    handle = system.temporal.get_schedule_handle(names.RECONCILIATION)

    async def outdated(existing: ScheduleUpdateInput) -> ScheduleUpdate:
        old = existing.description.schedule
        old.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])
        old.policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL)
        return ScheduleUpdate(schedule=old)

    await handle.update(outdated)

    await schedule(system.temporal)

    found = (await handle.describe()).schedule
    assert [each.every for each in found.spec.intervals] == [EVERY]
    assert found.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert isinstance(found.action, ScheduleActionStartWorkflow)
    assert found.action.execution_timeout == MAX_ROUND
    assert found.state.paused


async def test_an_index_allows_one_live_payment_of_an_order(system: System) -> None:
    indexes = {row[1]: row[2] for row in await system.database.fetch(SCHEMA)}

    assert "UNIQUE INDEX" in indexes["one_live_payment_per_order"]
    assert "WHERE (status = ANY" in indexes["one_live_payment_per_order"]


@pytest.mark.parametrize("first", ["pending", "succeeded"])
@pytest.mark.parametrize("second", ["pending", "succeeded"])
async def test_second_live_payment_is_refused(system: System, first: str, second: str) -> None:
    order = an_unknown_order()
    await insert(system, order, first)

    with pytest.raises(asyncpg.UniqueViolationError, match="one_live_payment_per_order"):
        await insert(system, order, second)


async def test_a_payment_after_a_failed_one_is_accepted(system: System) -> None:
    order = an_unknown_order()
    await insert(system, order, "failed")
    await insert(system, order, "failed")

    await insert(system, order, "pending")

    assert len(await system.rows(order)) == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [("succeeded", "pending"), ("failed", "pending"), ("failed", "succeeded")],
)
async def test_illegal_transition_is_refused(system: System, before: str, after: str) -> None:
    payment_id = await insert(system, an_unknown_order(), before)

    with pytest.raises(asyncpg.CheckViolationError, match=f"from {before} to {after}"):
        await system.database.execute(UPDATE, payment_id, after)

    assert await system.transitions(payment_id) == [before]


@pytest.mark.parametrize(
    ("before", "after"),
    [("pending", "succeeded"), ("pending", "failed"), ("succeeded", "failed")],
)
async def test_a_legal_transition_is_recorded(system: System, before: str, after: str) -> None:
    payment_id = await insert(system, an_unknown_order(), before)

    await system.database.execute(UPDATE, payment_id, after)

    assert await system.transitions(payment_id) == [before, after]


@pytest.mark.parametrize(
    "change",
    [
        "amount_minor = 0",
        "currency = 'usd'",
        "status = 'refunded'",
        "processed_at = now()",
        "error_code = 'CARD_DECLINED'",
    ],
)
async def test_an_invalid_value_is_refused(system: System, change: str) -> None:
    payment_id = await insert(system, an_unknown_order(), "pending")

    with pytest.raises(asyncpg.CheckViolationError):
        await system.database.execute(
            f"UPDATE bc_payment.payments SET {change} WHERE id = $1",  # noqa: S608 (ours)
            payment_id,
        )


@pytest.mark.parametrize("change", ["gateway = 'stripe'", "gateway_reference = 'pi_2'"])
async def test_a_payment_keeps_its_gateway_and_its_reference(system: System, change: str) -> None:
    payment_id = await insert(system, an_unknown_order(), "pending")
    update = "UPDATE bc_payment.payments SET {} WHERE id = $1"
    reference = f"gateway_reference = '{payment_id}'"
    await system.database.execute(update.format(reference), payment_id)

    with pytest.raises(asyncpg.CheckViolationError, match="keeps its gateway"):
        await system.database.execute(update.format(change), payment_id)


async def insert(system: System, order: Order, status: str) -> Any:
    payment_id = uuid4()
    error_code = "CARD_DECLINED" if status == "failed" else None
    processed_at = None if status == "pending" else await system.database.fetchval("SELECT now()")
    ids = (payment_id, order.id, order.customer_id)
    await system.database.execute(INSERT, *ids, status, error_code, processed_at)
    return payment_id
