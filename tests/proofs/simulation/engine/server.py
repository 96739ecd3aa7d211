"""The calls of a Temporal client that the simulation makes, answered in this process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from temporalio.api.common.v1 import GrpcStatus, WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.errordetails.v1 import WorkflowExecutionAlreadyStartedFailure
from temporalio.api.history.v1 import History
from temporalio.api.testservice.v1 import GetCurrentTimeResponse
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    RequestCancelWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode, ServiceClient

from tests.proofs.simulation.engine.clock import now
from tests.proofs.simulation.engine.runs import Run
from tests.proofs.simulation.engine.worker import InProcessWorker

CLOSING = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
CHECKED = 4
"""One of four runs is replayed at its end. To replay each run took a quarter of the time."""


class InProcessServer(ServiceClient):
    """What the client uses of the Temporal service. Set `worker` before the first start."""

    worker: InProcessWorker

    def __init__(self, *, remembers: bool) -> None:
        """`remembers` is whether the worker keeps workflows between two of their tasks."""
        super().__init__(ConnectConfig(target_host="in-process", identity="tests"))
        self._remembers = remembers
        self._latest: dict[str, Run] = {}
        self._runs: dict[str, Run] = {}
        self._calls: Mapping[str, Callable[[Any], Awaitable[Message]]] = {
            "start_workflow_execution": self._start,
            "request_cancel_workflow_execution": self._request_cancellation,
            "signal_workflow_execution": self._signal,
            "get_workflow_execution_history": self._one_event,
            "get_current_time": self._current_time,
        }

    async def _rpc_call(self, rpc: str, req: Message, *_: Any, **__: Any) -> Any:
        return await self._calls[rpc](req)

    async def _start(self, request: StartWorkflowExecutionRequest) -> Message:
        """Raises RPCError(ALREADY_EXISTS) while a run of the same workflow id runs."""
        other = self._latest.get(request.workflow_id)
        if other is not None and not other.closed.done():
            raise _already_started(other.id)
        is_checked = not self._remembers or len(self._runs) % CHECKED == 0
        run = Run(request, self.worker, remembers=self._remembers, is_checked=is_checked)
        self._latest[request.workflow_id] = self._runs[run.id] = run
        return StartWorkflowExecutionResponse(run_id=run.id, started=True)

    async def _request_cancellation(
        self, request: RequestCancelWorkflowExecutionRequest
    ) -> Message:
        self._running(request.workflow_execution).request_cancellation(request.reason)
        return RequestCancelWorkflowExecutionResponse()

    async def _signal(self, request: SignalWorkflowExecutionRequest) -> Message:
        self._running(request.workflow_execution).signal(request.signal_name)
        return SignalWorkflowExecutionResponse()

    def _running(self, execution: WorkflowExecution) -> Run:
        """The run of this workflow id. Raises RPCError(NOT_FOUND) if it has ended."""
        run = self._latest[execution.workflow_id]
        if run.closed.done():
            raise RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")
        return run

    async def _one_event(self, request: GetWorkflowExecutionHistoryRequest) -> Message:
        """Returns the first event of the run. If the closing event is requested, waits for that."""
        execution = request.execution
        run = self._runs.get(execution.run_id) or self._latest[execution.workflow_id]
        is_last = request.history_event_filter_type == CLOSING
        event = await asyncio.shield(run.closed) if is_last else run.started
        return GetWorkflowExecutionHistoryResponse(history=History(events=[event]))

    async def _current_time(self, _: Message) -> Message:
        answer = GetCurrentTimeResponse()
        answer.time.FromDatetime(now())
        return answer

    @property
    def worker_service_client(self) -> NoReturn:
        raise NotImplementedError("No worker of the SDK polls this server.")

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        raise NotImplementedError

    def update_api_key(self, api_key: str | None) -> None:
        raise NotImplementedError


def _already_started(run_id: str) -> RPCError:
    detail = AnyMessage()
    detail.Pack(WorkflowExecutionAlreadyStartedFailure(run_id=run_id))
    status = GrpcStatus(code=RPCStatusCode.ALREADY_EXISTS, details=[detail])
    return RPCError(
        "Workflow execution already started",
        RPCStatusCode.ALREADY_EXISTS,
        status.SerializeToString(),
    )
