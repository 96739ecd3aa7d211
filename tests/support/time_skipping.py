"""Temporal's time-skipping server, with workarounds for three of its defects.

The server ignores an activity's schedule-to-close timeout if it ends at a whole second, because it
reads a time with 0 nanoseconds as no time (`TestServiceRetryState.getBackoffIntervalInSeconds` of
the Java SDK). So one activity in a thousand would be retried for ever.

A request that waits for the end of a workflow gets an empty response after 20 s of real time
(`TestWorkflowService.getWorkflowExecutionHistory`). The Python SDK reads that as the last page.

If a workflow cancels an activity that ends at the same moment, the server refuses the whole
workflow task ("ACTIVITY_UNKNOWN") and waits for it for ever. Seen twice in six hundred payments.
`WithoutCancelRequests` avoids that where many payments run and no history is recorded.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from temporalio import client, worker
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.workflow import ActivityCancellationType, ActivityHandle

from workflows.operator_view import SEARCH_ATTRIBUTES
from workflows.prepare import add_search_attributes

TEST_SERVER = Path(sys.executable).with_name("temporal-test-server")
OFF_WHOLE_SECOND = timedelta(microseconds=1)
"""Added to each timeout, so that none ends at a whole second. The server counts in milliseconds, so
a microsecond changes nothing else."""


@asynccontextmanager
async def time_skipping() -> AsyncIterator[client.Client]:
    """A client of a new server, whose clock jumps ahead while it would only wait."""
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter,
        identity="tests",
        interceptors=[_Workarounds()],
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=timedelta(seconds=30),
    )
    async with environment:
        await add_search_attributes(environment.client, SEARCH_ATTRIBUTES)
        yield environment.client


@pytest.fixture
async def own_server() -> AsyncIterator[client.Client]:
    """A new server for each test. A module uses it by `temporal = own_server`.

    It is for tests that leave a workflow or a step running, and for tests that must skip time: the
    shared server skips no time while anything of another test is running.
    """
    async with time_skipping() as temporal:
        yield temporal


async def server_time(temporal: client.Client) -> datetime:
    """The server's current time. Its clock may be ahead of this machine's."""
    response = await temporal.test_service.get_current_time(Empty())
    return response.time.ToDatetime(UTC)


@asynccontextmanager
async def skipping_time(temporal: client.Client) -> AsyncIterator[None]:
    """Lets the server skip time, for a workflow whose handle does not come from starting it."""
    await temporal.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
    try:
        yield
    finally:
        await temporal.test_service.lock_time_skipping(LockTimeSkippingRequest())


class _Workarounds(client.Interceptor, worker.Interceptor):
    """Works around the first two defects in a client and in all of its workers."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002
        return _Outbound(next)

    def workflow_interceptor_class(
        self,
        _: worker.WorkflowInterceptorClassInput,
    ) -> type[worker.WorkflowInboundInterceptor]:
        return _changing_activities(_end_off_whole_second)


class WithoutCancelRequests(client.Interceptor, worker.Interceptor):
    """Lets workflows cancel activities without a request to the server.

    The workflow notices no difference: also otherwise it does not wait for the end of the activity.
    """

    def workflow_interceptor_class(
        self,
        _: worker.WorkflowInterceptorClassInput,
    ) -> type[worker.WorkflowInboundInterceptor]:
        return _changing_activities(_abandon_when_cancelled)


def _changing_activities(
    change: Callable[[worker.StartActivityInput], None],
) -> type[worker.WorkflowInboundInterceptor]:
    """An interceptor that changes each regular activity of a workflow before it is scheduled."""

    class Outbound(worker.WorkflowOutboundInterceptor):
        def start_activity(
            self,
            input: worker.StartActivityInput,  # noqa: A002
        ) -> ActivityHandle[object]:
            change(input)
            return self.next.start_activity(input)

    class Inbound(worker.WorkflowInboundInterceptor):
        def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
            super().init(Outbound(outbound))

    return Inbound


def _end_off_whole_second(activity: worker.StartActivityInput) -> None:
    if activity.schedule_to_close_timeout is not None:
        activity.schedule_to_close_timeout += OFF_WHOLE_SECOND


def _abandon_when_cancelled(activity: worker.StartActivityInput) -> None:
    activity.cancellation_type = ActivityCancellationType.ABANDON


class _Outbound(client.OutboundInterceptor):
    def fetch_workflow_history_events(
        self,
        input: client.FetchWorkflowHistoryEventsInput,  # noqa: A002
    ) -> client.WorkflowHistoryEventAsyncIterator:
        events = super().fetch_workflow_history_events(input)
        return PatientEvents(events._client, input)


class PatientEvents(client.WorkflowHistoryEventAsyncIterator):
    """Repeats a request for new events while its response is empty."""

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        await super().fetch_next_page(page_size=page_size)
        while self._input.wait_new_event and not (self.current_page or self.next_page_token):
            await super().fetch_next_page(page_size=page_size)
