"""The Python part of the SDK's worker, without the part in Rust that speaks to a server.

It converts payloads, calls interceptors, activities and workflows, and turns errors into failures,
all as in production. The SDK offers no public way to use it alone, so this module uses private
classes of temporalio, whose version is pinned.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

from temporalio.bridge.proto import ActivityHeartbeat, ActivityTaskCompletion
from temporalio.bridge.proto.activity_result import ActivityExecutionResult
from temporalio.bridge.proto.activity_task import Start
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, WorkflowActivation
from temporalio.bridge.worker import Worker as Bridge
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner, WorkflowInstance
from temporalio.worker._activity import _ActivityWorker, _RunningActivity
from temporalio.worker._workflow import _WorkflowWorker

from domain.names import TASK_QUEUE


class _Answers:
    """Replaces the bridge to the Rust part of the SDK, and keeps the results of activities."""

    def __init__(self) -> None:
        self.by_token: dict[bytes, ActivityExecutionResult] = {}

    async def complete_activity_task(self, completion: ActivityTaskCompletion) -> None:
        self.by_token[completion.task_token] = completion.result

    def record_activity_heartbeat(self, heartbeat: ActivityHeartbeat) -> None:
        """Ignore the heartbeat: no activity of the simulation hangs."""


class InProcessWorker:
    """Runs tries of activities, and makes instances of workflows."""

    def __init__(
        self,
        client: Client,
        activities: Sequence[Callable[..., Any]],
        workflows: Sequence[type],
        interceptors: Sequence[Interceptor],
    ) -> None:
        self._answers = _Answers()
        self._tokens = 0
        self._activities = _ActivityWorker(
            bridge_worker=lambda: cast(Bridge, self._answers),
            task_queue=TASK_QUEUE,
            activities=activities,
            activity_executor=None,
            shared_state_manager=None,
            data_converter=client.data_converter,
            interceptors=interceptors,
            metric_meter=MetricMeter.noop,
            client=client,
            encode_headers=False,
        )
        self._workflows = _WorkflowWorker(
            bridge_worker=lambda: cast(Bridge, self._answers),
            namespace=client.namespace,
            task_queue=TASK_QUEUE,
            workflows=workflows,
            workflow_task_executor=None,
            max_concurrent_workflow_tasks=None,
            workflow_runner=UnsandboxedWorkflowRunner(),
            unsandboxed_workflow_runner=UnsandboxedWorkflowRunner(),
            data_converter=client.data_converter,
            interceptors=interceptors,
            workflow_failure_exception_types=(),
            patch_activation_callback=None,
            debug_mode=False,
            disable_eager_activity_execution=False,
            metric_meter=MetricMeter.noop,
            on_eviction_hook=None,
            disable_safe_eviction=False,
            should_enforce_versioning_behavior=False,
            assert_local_activity_valid=self._activities.assert_activity_valid,
            encode_headers=False,
            max_workflow_task_external_storage_concurrency=1,
        )

    async def execute(self, start: Start) -> ActivityExecutionResult:
        """One try of an activity, to its end."""
        self._tokens += 1
        token = str(self._tokens).encode()
        running = _RunningActivity()
        self._activities._running_activities[token] = running  # heartbeats are looked up there
        await self._activities._handle_start_activity_task(token, start, running)
        return self._answers.by_token.pop(token)

    def instance(self, first: WorkflowActivation, init: InitializeWorkflow) -> WorkflowInstance:
        """A workflow that is about to begin, with the activation that begins it."""
        return self._workflows._create_workflow_instance(first, init)
