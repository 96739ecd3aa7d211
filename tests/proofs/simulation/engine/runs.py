"""A workflow run: what the server and the Core SDK do for it, one workflow task at a time."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from itertools import count
from typing import Any

from temporalio.api.common.v1 import ActivityType, WorkflowExecution
from temporalio.api.failure.v1 import ActivityFailureInfo, CanceledFailureInfo, Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.bridge.proto.activity_result import ActivityResolution, Cancellation
from temporalio.bridge.proto.activity_task import Start
from temporalio.bridge.proto.workflow_activation import (
    CancelWorkflow,
    FireTimer,
    InitializeWorkflow,
    ResolveActivity,
    SignalWorkflow,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import (
    ScheduleActivity,
    ScheduleLocalActivity,
    StartTimer,
    WorkflowCommand,
)

from tests.proofs.simulation.engine.clock import now
from tests.proofs.simulation.engine.code import WorkflowCode, WorkflowTaskError
from tests.proofs.simulation.engine.endings import ending_of, failed
from tests.proofs.simulation.engine.tries import Tries
from tests.proofs.simulation.engine.worker import InProcessWorker
from tests.proofs.simulation.losing import TASK_LOST

CLOSING = frozenset({"complete_workflow_execution", "fail_workflow_execution"})
UNNOTICED = frozenset(
    {"set_patch_marker", "upsert_workflow_search_attributes", "modify_workflow_properties"}
)
"""Commands without an effect on the workflow."""

TASK_SECONDS = 10
"""After so long a server gives a workflow task to another worker (Temporal's default)."""
ALL_BEFORE = 20
RARELY = 10
"""A worker that does not remember replays before each task at first, and in a long history before
every tenth or so: the replays of an outage of a day would cost more than all others together."""

_run_ids = count(1)


class Run:
    """One run. `closed` is a future of the last event of its history.

    What happens outside is handed over in workflow tasks. While a task runs local activities,
    nothing else reaches the workflow, and none of its other commands is carried out.
    """

    def __init__(
        self,
        request: StartWorkflowExecutionRequest,
        worker: InProcessWorker,
        *,
        remembers: bool,
        is_checked: bool,
    ) -> None:
        """`is_checked` is whether its history is replayed at its end."""
        self.id = f"run-{next(_run_ids)}"
        self.closed: asyncio.Future[HistoryEvent] = asyncio.get_running_loop().create_future()
        self._request = request
        self._worker = worker
        self._remembers = remembers
        self._is_checked = is_checked
        self._code = WorkflowCode(worker, self.id)
        self._is_to_cancel = False
        self._types: dict[int, str] = {}
        """The activity types by sequence number."""
        self._cancelled: set[int] = set()
        """The sequence numbers of cancelled activities, whose results are dropped."""
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._news: list[WorkflowActivationJob] = []
        self._has_news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tell(initialize_workflow=self._initialization())
        self._in_background(self._live())

    @property
    def started(self) -> HistoryEvent:
        """The first event of its history."""
        start = WorkflowExecutionStartedEventAttributes(input=self._request.input)
        return HistoryEvent(workflow_execution_started_event_attributes=start)

    def request_cancellation(self, reason: str) -> None:
        """Request the cancellation of the workflow. A second request has no effect."""
        if not self._is_to_cancel:
            self._is_to_cancel = True
            self._tell(cancel_workflow=CancelWorkflow(reason=reason))

    def signal(self, name: str) -> None:
        """Send a signal without an argument."""
        self._tell(signal_workflow=SignalWorkflow(signal_name=name))

    def _initialization(self) -> InitializeWorkflow:
        request = self._request
        init = InitializeWorkflow(
            workflow_type=request.workflow_type.name,
            workflow_id=request.workflow_id,
            arguments=request.input.payloads,
            randomness_seed=next(_run_ids),
            headers=request.header.fields,
            identity=request.identity,
            memo=request.memo,
            search_attributes=request.search_attributes,
            first_execution_run_id=self.id,
            attempt=1,
        )
        init.start_time.FromDatetime(now())
        return init

    def _tell(self, **job: Any) -> None:
        """Add a job to the next workflow task."""
        self._news.append(WorkflowActivationJob(**job))
        self._has_news.set()

    def _in_background(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task in its own context: an activity may have started this run."""
        task = asyncio.create_task(coroutine, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self) -> None:
        try:
            while not (ending := await self._ending_of_task()):
                pass
            if self._is_checked:
                await self._code.forget()
        except WorkflowTaskError as error:
            # A server would try the task again for ever. Here everybody is told at once.
            ending = failed(Failure(message=f"a workflow task has failed: {error}"))
        except Exception as error:  # noqa: BLE001 (whoever waits for the run is told)
            self.closed.set_exception(error)
            return
        await self._code.evict()
        self.closed.set_result(ending)

    async def _ending_of_task(self) -> HistoryEvent | None:
        """Run the next workflow task. Returns the closing event if the task ends the workflow."""
        await self._has_news.wait()
        if not (news := self._take_news()):
            return None
        before = self._code.steps
        if not self._remembers and (before < ALL_BEFORE or before % RARELY == 0):
            await self._code.forget()
        commands = await self._decide(news)
        if commands is None:
            await asyncio.sleep(TASK_SECONDS)
            await self._do_again(news, before)
            return None
        ending = next(filter(None, map(ending_of, commands)), None)
        if ending and self._news:
            # A server refuses to end a run that has not seen everything.
            await self._do_again(news, before)
            return None
        for command in commands:
            self._carry_out(command)
        return ending

    async def _do_again(self, news: Sequence[WorkflowActivationJob], before: int) -> None:
        """Drop what the workflow task did, of which the server knows nothing, and repeat it."""
        await self._code.forget(since=before)
        self._news = [*news, *self._news]
        self._has_news.set()

    def _take_news(self) -> list[WorkflowActivationJob]:
        news, self._news = self._news, []
        self._has_news.clear()
        return [job for job in news if _activity_of(job) not in self._cancelled]

    async def _decide(self, jobs: Sequence[WorkflowActivationJob]) -> list[WorkflowCommand] | None:
        """Run the workflow until it needs another workflow task. None if this one was lost."""
        commands: list[WorkflowCommand] = []
        running: set[asyncio.Task[WorkflowActivationJob]] = set()
        while True:
            cancelled = []
            for command in await self._code.activate(jobs):
                if command.HasField("schedule_local_activity"):
                    local = self._try_locally(command.schedule_local_activity)
                    running.add(asyncio.create_task(local, context=Context()))
                    continue
                commands.append(command)
                cancelled += self._cancellations(command)
            if cancelled:
                jobs = cancelled
                continue
            if not running:
                return commands
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            jobs = sorted((each.result() for each in done), key=_activity_of)
            if any(map(_is_lost, jobs)):
                await asyncio.gather(*running)
                return None

    def _cancellations(self, command: WorkflowCommand) -> list[WorkflowActivationJob]:
        """The results of activities that the command cancels."""
        if command.HasField("schedule_activity"):
            activity = command.schedule_activity
            self._types[activity.seq] = activity.activity_type
        elif command.HasField("request_cancel_activity"):
            return [self._cancellation(command.request_cancel_activity.seq)]
        return []

    def _cancellation(self, activity: int) -> WorkflowActivationJob:
        """The result of a cancelled activity, which the workflow gets at once."""
        failure = Failure(
            message="Activity cancelled",
            cause=Failure(
                message="Activity cancelled", canceled_failure_info=CanceledFailureInfo()
            ),
            activity_failure_info=ActivityFailureInfo(
                activity_id=str(activity), activity_type=ActivityType(name=self._types[activity])
            ),
        )
        result = ActivityResolution(cancelled=Cancellation(failure=failure))
        return WorkflowActivationJob(resolve_activity=ResolveActivity(seq=activity, result=result))

    async def _try_locally(self, command: ScheduleLocalActivity) -> WorkflowActivationJob:
        start = self._start_of(command)
        start.is_local = True
        result = await Tries(self._worker, start, lambda: False).resolution()
        resolve = ResolveActivity(seq=command.seq, result=result, is_local=True)
        return WorkflowActivationJob(resolve_activity=resolve)

    async def _execute(self, command: ScheduleActivity) -> None:
        start = self._start_of(command)
        if command.HasField("heartbeat_timeout"):
            start.heartbeat_timeout.CopyFrom(command.heartbeat_timeout)

        def is_over() -> bool:
            return self.closed.done() or command.seq in self._cancelled

        resolution = await Tries(self._worker, start, is_over).resolution()
        if resolution is not None and not is_over():
            self._tell(resolve_activity=ResolveActivity(seq=command.seq, result=resolution))

    def _start_of(self, command: ScheduleActivity | ScheduleLocalActivity) -> Start:
        return Start(
            workflow_namespace=self._request.namespace,
            workflow_type=self._request.workflow_type.name,
            workflow_execution=WorkflowExecution(
                workflow_id=self._request.workflow_id, run_id=self.id
            ),
            activity_id=command.activity_id,
            activity_type=command.activity_type,
            header_fields=command.headers,
            input=command.arguments,
            schedule_to_close_timeout=command.schedule_to_close_timeout,
            start_to_close_timeout=command.start_to_close_timeout,
            retry_policy=command.retry_policy,
        )

    def _carry_out(self, command: WorkflowCommand) -> None:
        kind = command.WhichOneof("variant")
        if kind == "schedule_activity":
            self._in_background(self._execute(command.schedule_activity))
        elif kind == "request_cancel_activity":
            self._cancelled.add(command.request_cancel_activity.seq)
        elif kind == "start_timer":
            self._start_timer(command.start_timer)
        elif kind == "cancel_timer":
            self._timers.pop(command.cancel_timer.seq).cancel()
        elif kind not in CLOSING | UNNOTICED:
            raise NotImplementedError(f"The engine does not know the command {kind}.")

    def _start_timer(self, command: StartTimer) -> None:
        seconds = command.start_to_fire_timeout.ToTimedelta().total_seconds()
        timer = FireTimer(seq=command.seq)
        loop = asyncio.get_running_loop()
        self._timers[command.seq] = loop.call_later(seconds, lambda: self._tell(fire_timer=timer))


def _activity_of(job: WorkflowActivationJob) -> int:
    """The sequence number of the activity that has ended; 0 for any other job."""
    return job.resolve_activity.seq


def _is_lost(job: WorkflowActivationJob) -> bool:
    """Whether the workflow task was lost while this activity ran."""
    failure = job.resolve_activity.result.failed.failure
    return failure.application_failure_info.type == TASK_LOST
