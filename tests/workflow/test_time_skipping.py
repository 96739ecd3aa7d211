"""The time-skipping server behaves as a real one, as `tests/support/time_skipping.py` says."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryResponse
from temporalio.client import FetchWorkflowHistoryEventsInput, WorkflowHistoryEventFilterType

from activities.failures import PaymentErrorInterceptor
from domain.errors import ErrorCode
from tests.support.fakes.world import refusal
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import (
    PatientEvents,
    WithoutCancelRequests,
    server_time,
    time_skipping,
)


async def test_no_time_limit_of_a_step_ends_at_a_whole_second(harness: SagaHarness) -> None:
    handle = await harness.start(harness.an_instruction())
    await handle.result()

    limits = [
        each.activity_task_scheduled_event_attributes.schedule_to_close_timeout.nanos
        for each in (await handle.fetch_history()).events
        if each.HasField("activity_task_scheduled_event_attributes")
    ]

    assert limits
    assert all(nanos % 1_000_000 for nanos in limits)


@pytest.fixture
async def own_harness() -> AsyncIterator[SagaHarness]:
    """On a server of its own: if a workflow ends while an activity runs, it skips no time again."""
    async with time_skipping() as client:
        yield SagaHarness(client, await server_time(client))


@pytest.mark.parametrize("requests", [True, False])
async def test_a_cancelled_step_sends_a_request_unless_that_is_avoided(
    own_harness: SagaHarness, requests: bool
) -> None:
    """The claim is refused while the order is being fetched, which is then cancelled."""
    harness, world = own_harness, own_harness.world
    refused, released = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        if world.calls.count("fetch_order") == 1:
            await world.down("fetch_order")()
        refused.set()
        await released.wait()

    async def refuse() -> None:
        if world.calls.count("record_pending") == 1:
            await world.down("record_pending")()
        await refused.wait()
        await refusal(ErrorCode.RECORD_REFUSED)()

    world.before.update({"fetch_order": hang, "record_pending": refuse})
    avoiding = [] if requests else [WithoutCancelRequests()]
    async with harness.worker(interceptors=[PaymentErrorInterceptor(), *avoiding]):
        handle = await harness.start(harness.an_instruction())
        payment = await handle.result()
        released.set()

    types = {each.event_type for each in (await handle.fetch_history()).events}
    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert (EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED in types) is requests


async def test_a_result_is_awaited_although_the_server_responds_with_nothing() -> None:
    last = HistoryEvent(event_id=1)
    responses = iter([History(), History(), History(events=[last])])

    async def respond(*_: object, **__: object) -> GetWorkflowExecutionHistoryResponse:
        return GetWorkflowExecutionHistoryResponse(history=next(responses))

    service = SimpleNamespace(get_workflow_execution_history=respond)
    client: Any = SimpleNamespace(namespace="default", workflow_service=service)
    wanted = FetchWorkflowHistoryEventsInput(
        id="payment",
        run_id=None,
        page_size=None,
        next_page_token=None,
        wait_new_event=True,
        event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT,
        skip_archival=True,
        rpc_metadata={},
        rpc_timeout=None,
    )

    assert [event async for event in PatientEvents(client, wanted)] == [last]
