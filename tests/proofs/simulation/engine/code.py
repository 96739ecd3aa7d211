"""The workflow instance of one run in a worker, and its replay from the history."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from temporalio.bridge.proto.workflow_activation import (
    NotifyHasPatch,
    RemoveFromCache,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.worker import WorkflowInstance

from tests.proofs.simulation.engine.clock import now
from tests.proofs.simulation.engine.worker import InProcessWorker

Result = TypeVar("Result")

EVICTIONS = 3
"""How often an instance is asked to cancel its tasks; one that waits in a `finally` needs two."""


class WorkflowTaskError(Exception):
    """The workflow task failed, or a replay gave other commands than the first run."""


class _Step(NamedTuple):
    activation: WorkflowActivation
    commands: list[WorkflowCommand]


class WorkflowCode:
    """An instance of the workflow, and the history from which it can be built anew."""

    def __init__(self, worker: InProcessWorker, run_id: str) -> None:
        self._worker = worker
        self._run_id = run_id
        self._instance: WorkflowInstance | None = None
        self._history: list[_Step] = []

    @property
    def steps(self) -> int:
        """How many activations the history has."""
        return len(self._history)

    async def activate(self, jobs: Sequence[WorkflowActivationJob]) -> list[WorkflowCommand]:
        """Run the workflow with these jobs. Returns its commands.

        Raises WorkflowTaskError if the workflow task fails.
        """
        activation = WorkflowActivation(run_id=self._run_id, jobs=jobs)
        activation.timestamp.FromDatetime(now())
        commands = await _outside_tasks(lambda: self._commands(activation))
        self._history.append(_Step(activation, commands))
        return commands

    async def forget(self, since: int | None = None) -> None:
        """Replace the instance: replay the history, or only its part before `since`.

        Raises WorkflowTaskError if the commands differ from those of the first run.
        """
        del self._history[self.steps if since is None else since :]
        await self.evict()
        await _outside_tasks(self._replay)

    async def evict(self) -> None:
        """Cancel the tasks of the instance, as a worker does when its cache is full."""
        instance, self._instance = self._instance, None
        if instance is not None:
            await _outside_tasks(lambda: _evict(instance, self._run_id))

    def _replay(self) -> None:
        for number, step in enumerate(self._history):
            activation = _replayed(step)
            commands = self._commands(activation)
            if commands != step.commands:
                raise WorkflowTaskError(
                    f"nondeterminism: activation {number} has commanded {step.commands}, "
                    f"and when replayed {commands}"
                )

    def _commands(self, activation: WorkflowActivation) -> list[WorkflowCommand]:
        if self._instance is None:
            (init,) = (
                job.initialize_workflow
                for job in activation.jobs
                if job.HasField("initialize_workflow")
            )
            self._instance = self._worker.instance(activation, init)
        completion = self._instance.activate(activation)
        if completion.HasField("failed"):
            raise WorkflowTaskError(completion.failed.failure.message)
        return list(completion.successful.commands)


def _replayed(step: _Step) -> WorkflowActivation:
    """The activation as a worker gets it in a replay: it names the patches of the history."""
    activation = WorkflowActivation()
    activation.CopyFrom(step.activation)
    activation.is_replaying = True
    for command in step.commands:
        if command.HasField("set_patch_marker"):
            notify = NotifyHasPatch(patch_id=command.set_patch_marker.patch_id)
            activation.jobs.append(WorkflowActivationJob(notify_has_patch=notify))
    return activation


def _evict(instance: WorkflowInstance, run_id: str) -> None:
    job = WorkflowActivationJob(remove_from_cache=RemoveFromCache())
    for tries in range(1, EVICTIONS + 1):
        try:
            instance.activate(WorkflowActivation(run_id=run_id, jobs=[job]))
        except RuntimeError:  # tasks remain
            if tries == EVICTIONS:
                raise
        else:
            return


async def _outside_tasks(call: Callable[[], Result]) -> Result:
    """Call the function outside every task of this loop: a workflow runs an event loop of its own.

    Python 3.14 lets no task run inside another. The SDK's debug mode does the same.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 (it is raised where it is awaited)
            done.set_exception(error)
        else:
            done.set_result(result)
        finally:
            asyncio._set_running_loop(loop)  # which the workflow's own loop has taken away

    loop.call_soon(run)
    return await done
