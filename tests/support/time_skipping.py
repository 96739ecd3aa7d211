"""Temporal's time-skipping server, with two of its defects mended.

It ignores the time limit of all tries of an activity if the limit ends at a whole second: it takes
a time without nanoseconds for none (`TestServiceRetryState.getBackoffIntervalInSeconds` of the Java
SDK). One activity in a thousand is tried for ever then.

A request that waits for the end of a workflow gets an empty response after 20 s of this machine's
time (`TestWorkflowService.getWorkflowExecutionHistory`), which the Python SDK takes for the end.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf.empty_pb2 import Empty
from temporalio import client, worker
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.workflow import ActivityHandle

from workflows.operator_view import SEARCH_ATTRIBUTES
from workflows.prepare import add_search_attributes

TEST_SERVER = Path(sys.executable).with_name("temporal-test-server")
NEVER_WHOLE = timedelta(microseconds=1)
"""Less than the millisecond in which the server counts."""


@asynccontextmanager
async def time_skipping() -> AsyncIterator[client.Client]:
    """A client of a server whose clock runs ahead while nothing happens."""
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter,
        identity="tests",
        interceptors=[Mended()],
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=timedelta(seconds=30),
    )
    async with environment:
        await add_search_attributes(environment.client, SEARCH_ATTRIBUTES)
        yield environment.client


async def server_time(temporal: client.Client) -> datetime:
    """The time of a server whose clock is ahead of this machine's."""
    answer = await temporal.test_service.get_current_time(Empty())
    return answer.time.ToDatetime(UTC)


class Mended(client.Interceptor, worker.Interceptor):
    """For a client and all of its workers."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:  # noqa: A002
        return _Outbound(next)

    def workflow_interceptor_class(
        self,
        _: worker.WorkflowInterceptorClassInput,
    ) -> type[worker.WorkflowInboundInterceptor]:
        return _WorkflowInbound


class _Outbound(client.OutboundInterceptor):
    def fetch_workflow_history_events(
        self,
        input: client.FetchWorkflowHistoryEventsInput,  # noqa: A002
    ) -> client.WorkflowHistoryEventAsyncIterator:
        events = super().fetch_workflow_history_events(input)
        return PatientEvents(events._client, input)


class PatientEvents(client.WorkflowHistoryEventAsyncIterator):
    """Repeats a request that waits for events and gets none."""

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        await super().fetch_next_page(page_size=page_size)
        while self._input.wait_new_event and not (self.current_page or self.next_page_token):
            await super().fetch_next_page(page_size=page_size)


class _WorkflowInbound(worker.WorkflowInboundInterceptor):
    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound))


class _WorkflowOutbound(worker.WorkflowOutboundInterceptor):
    def start_activity(
        self,
        input: worker.StartActivityInput,  # noqa: A002
    ) -> ActivityHandle[object]:
        if input.schedule_to_close_timeout is not None:
            input.schedule_to_close_timeout += NEVER_WHOLE
        return self.next.start_activity(input)
