"""The time-skipping server behaves as a real one, as `tests/support/time_skipping.py` says."""

from types import SimpleNamespace
from typing import Any

from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryResponse
from temporalio.client import FetchWorkflowHistoryEventsInput, WorkflowHistoryEventFilterType

from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import PatientEvents


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
