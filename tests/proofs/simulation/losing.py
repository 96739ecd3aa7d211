"""Losing a workflow in the simulation, without what a termination leaves in the test server.

A run that is terminated while an activity or a workflow task is under way leaves a lock, and the
time-skipping server never skips time again. So a run is lost here by its own failure, between
workflow and SDK: when an activity has raised `Lost`, no code of the saga runs any more, and the
run is closed as soon as the activities beside it have ended. A workflow task is lost by `TaskLost`.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

LOST = "WorkflowLost"
TASK_LOST = "WorkflowTaskLost"


class Lost(ApplicationError):  # noqa: N818 (it is no error of ours)
    """Raised in an activity: its workflow is lost at this moment."""

    def __init__(self) -> None:
        super().__init__("The workflow was lost.", type=LOST, non_retryable=True)


class TaskLost(ApplicationError):  # noqa: N818 (it is no error of ours)
    """Raised in an activity: the workflow task in which it runs is lost, and is done again."""

    def __init__(self) -> None:
        super().__init__("The workflow task was lost.", type=TASK_LOST)


def is_loss(failure: WorkflowFailureError) -> bool:
    """Whether the run was lost; a run that fails in any other way is a bug."""
    return isinstance(failure.cause, ApplicationError) and failure.cause.type == LOST


@dataclass(eq=False)
class _Try:
    """A try of an activity."""

    running: asyncio.Task[Any]
    is_left: asyncio.Event


_this_try: ContextVar[_Try] = ContextVar("this_try")


def leave_this_try() -> asyncio.Task[Any]:
    """Lose the workflow task of the activity that calls this.

    Returns the asyncio task of the activity, which goes on.
    """
    this = _this_try.get()
    this.is_left.set()
    return this.running


class LossInterceptor(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Leaving(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002
    ) -> type[WorkflowInboundInterceptor]:
        return _Run


class _Leaving(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        is_left = asyncio.Event()
        running = asyncio.create_task(self._try(input, is_left))
        leaving = asyncio.create_task(is_left.wait())
        try:
            await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if is_left.is_set():
                raise TaskLost
            return running.result()
        finally:
            leaving.cancel()
            if not is_left.is_set():
                running.cancel()

    async def _try(self, input: ExecuteActivityInput, is_left: asyncio.Event) -> Any:  # noqa: A002
        if (this := asyncio.current_task()) is not None:
            _this_try.set(_Try(this, is_left))
        return await self.next.execute_activity(input)


class _Run(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._watch = _Watch(outbound)
        super().init(self._watch)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        saga = asyncio.create_task(self.next.execute_workflow(input))
        while not saga.done():
            try:
                await workflow.wait_condition(lambda: saga.done() or self._watch.is_lost)
            except asyncio.CancelledError:
                if (current := asyncio.current_task()) is not None:
                    current.uncancel()
                saga.cancel()
                continue
            if not saga.done():
                raise Lost
        return saga.result()


class _Watch(WorkflowOutboundInterceptor):
    """Lets nothing go on in the workflow once one of its activities has raised `Lost`."""

    def __init__(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().__init__(outbound)
        self._running = 0
        self._raised = False

    @property
    def is_lost(self) -> bool:
        return self._raised and self._running == 0

    def start_activity(self, input: StartActivityInput) -> Any:  # noqa: A002
        return asyncio.create_task(self._result(super().start_activity(input)))

    def start_local_activity(self, input: StartLocalActivityInput) -> Any:  # noqa: A002
        return asyncio.create_task(self._result(super().start_local_activity(input)))

    async def _result(self, activity: asyncio.Task[Any]) -> Any:
        self._running += 1
        try:
            return await activity
        except (ActivityError, ApplicationError) as error:
            cause = error.cause if isinstance(error, ActivityError) else error
            self._raised |= isinstance(cause, ApplicationError) and cause.type == LOST
            raise
        finally:
            self._running -= 1
            if self._raised:
                await asyncio.get_running_loop().create_future()  # for ever
