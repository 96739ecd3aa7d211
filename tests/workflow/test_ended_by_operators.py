"""Workflows that operators end by cancelling them, also while the gateway does not respond."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle

from domain import names
from domain.dispute import DisputeState
from domain.gateway import ChargeState
from tests.support.attempts import by_token
from tests.support.fakes.world import Fault, World
from tests.support.log_lines import log_lines
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server, skipping_time
from tests.support.waiting import eventually
from tests.workflow.test_dispute_watch import a_dispute, shown, stands, tell
from tests.workflow.test_refund import asked, make
from tests.workflow.test_stray_attempt import failed, undo

Started = WorkflowHandle[object, object]
Start = Callable[[SagaHarness], Awaitable[Started]]
SECONDS = 15
"""More time than a workflow needs to end, also on a busy machine."""
RETRIED = "It is tried again until it succeeds."


temporal = own_server


async def an_open_dispute(harness: SagaHarness) -> Started:
    dispute = a_dispute()
    stands(harness, dispute, DisputeState.OPEN)
    watch = await tell(harness, dispute)
    return harness.client.get_workflow_handle(watch.id)


async def a_watched_refund(harness: SagaHarness) -> Started:
    refund = asked(harness, await harness.pay(by_token(harness)))
    await make(harness, refund)
    return harness.client.get_workflow_handle(names.refund_watch_id(refund.id))


async def a_stray_attempt(harness: SagaHarness) -> Started:
    handle = await undo(harness, failed(harness, ChargeState.AUTHORIZED))
    return harness.client.get_workflow_handle(handle.id)


@pytest.mark.parametrize(
    ("start", "operation"),
    [
        (an_open_dispute, "find_dispute"),
        (a_watched_refund, "find_refund"),
        (a_stray_attempt, "find_payment"),
        (a_stray_attempt, "find_charge"),
        (a_stray_attempt, "void_charge"),
    ],
)
async def test_it_ends_although_a_step_fails(
    harness: SagaHarness, start: Start, operation: str
) -> None:
    harness.world.before[operation] = _down(harness.world, operation, start)
    handle = await start(harness)
    async with skipping_time(harness.client):
        await shown(handle, flagged=True)
        assert RETRIED in await _details(handle)
        await handle.cancel()
        async with asyncio.timeout(SECONDS):
            await handle.result()


async def test_what_a_person_must_do_is_not_tried_again(harness: SagaHarness) -> None:
    """It is shown and logged once, however often the dispute is looked up."""

    async def waits_again() -> bool:
        events = (await handle.fetch_history()).events
        return [each.event_type for each in events].count(EventType.EVENT_TYPE_TIMER_STARTED) == 2

    with log_lines() as lines:
        handle = await an_open_dispute(harness)
        await shown(handle, flagged=True)
        await handle.signal(names.SIGNAL_LOOK_AGAIN)
        await eventually("it has looked again", waits_again)

    details = await _details(handle)

    assert "disputes the payment" in details
    assert RETRIED not in details
    [warning] = [each for each in lines if each["event"].startswith("needs attention: ")]
    assert harness.world.calls.count("find_dispute") == 2
    assert (warning["level"], "disputes the payment" in warning["event"]) == ("warning", True)


def _down(world: World, operation: str, start: Start) -> Fault:
    """A fault that lasts. RefundWorkflow looks once, with success, before the refund is watched."""
    looks = 1 if start is a_watched_refund else 0

    async def fail() -> None:
        nonlocal looks
        looks -= 1
        if looks < 0:
            await world.down(operation)()

    return fail


async def _details(handle: Started) -> str:
    """The workflow's details, which the Web UI shows."""
    question = "__temporal_workflow_metadata"
    metadata = await handle.query(question, result_type=WorkflowMetadata)
    assert isinstance(metadata, WorkflowMetadata)
    return metadata.current_details
