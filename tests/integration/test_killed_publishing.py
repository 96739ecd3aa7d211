"""Kafka has the event of a success, and the worker is killed before Temporal knows that.

The workflow task is done again, and Kafka refuses the second copy. The success stands.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from temporalio.api.enums.v1 import EventType

from domain.names import TOPIC_SUCCEEDED, workflow_id
from domain.payment import Announcement
from tests.support.agreement import assert_agreement
from tests.support.message_limit import largest_message
from tests.support.system import Order, System
from tests.support.triggers import before_update
from tests.support.waiting import eventually

LOCK = 20261127
TERMINATE_WAITING = """
    SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
"""


@pytest.mark.proof  # what is refused is tried again a minute later
async def test_a_refusal_after_the_worker_was_killed_undoes_nothing(system: System) -> None:
    order = await system.an_order()
    async with blocked_when_published(system, order):
        paying = asyncio.create_task(system.pay(order))
        await eventually(f"Kafka has the event of {order.id}", lambda: system.topics.of(order.id))
        await system.stack.kill("worker")
    async with largest_message(system, TOPIC_SUCCEEDED, size=1):
        await system.stack.up(("worker",))
        await eventually(
            "Kafka has refused the event", lambda: is_refused(system, order), seconds=60
        )
    await eventually(
        f"the event of {order.id} is sent", lambda: is_made(system, order), seconds=120
    )
    answer = await paying
    await system.until_ended(order)

    assert (answer.status, answer.payment["status"]) == (200, "succeeded")
    assert [charge["state"] for charge in await system.charges(order)] == ["captured"]
    assert {event.topic for event in await system.events(order)} == {TOPIC_SUCCEEDED}
    assert len({event.value for event in await system.events(order)}) == 1
    await assert_agreement(system, order, answer)


async def is_refused(system: System, order: Order) -> bool:
    """Whether the history of the order's workflow has an activity that failed."""
    workflow = system.temporal.get_workflow_handle(workflow_id(UUID(order.id)))
    types = {each.event_type for each in (await workflow.fetch_history()).events}
    return EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED in types


async def is_made(system: System, order: Order) -> bool:
    return [row["announcement"] for row in await system.rows(order)] == [Announcement.MADE]


@asynccontextmanager
async def blocked_when_published(system: System, order: Order) -> AsyncIterator[None]:
    """In the block, PostgreSQL completes no statement that records the order's event as `made`.

    At the end, the statements that wait are terminated. They have no effect.
    """
    wait = f"PERFORM pg_advisory_xact_lock({LOCK});"
    async with (
        before_update(system, order, "NEW.announcement = 'made'", wait),
        system.database.acquire() as connection,
    ):
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        try:
            yield
        finally:
            await connection.execute(TERMINATE_WAITING)
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
