"""The workflows still make the same decisions as in the recorded histories.

If this fails, a payment that runs during the deployment would stand still. Put the change behind
`workflow.patched()` and record a new history beside the old ones (`tests/replay/record.py`).
"""

from collections.abc import AsyncIterator

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner

from domain.instruction import PaymentInstruction
from domain.payment import Payment
from tests.replay.histories import read, recorded, type_of
from tests.replay.scenarios import SCENARIOS
from tests.support.sandbox import SANDBOX
from workflows.payment import PaymentWorkflow
from workflows.reconciliation import ReconciliationWorkflow
from workflows.refund import RefundWorkflow
from workflows.refund_watch import RefundWatch

ALL = recorded()
FOREIGN = "0.1.0/"
"""Histories of this version were recorded by its own scenarios, not by those here."""
PAYMENTS = [each for each in ALL if type_of(read(each)) == PaymentWorkflow.__name__]


def replayer(payment: type = PaymentWorkflow, runner: WorkflowRunner = SANDBOX) -> Replayer:
    return Replayer(
        workflows=[payment, RefundWorkflow, RefundWatch, ReconciliationWorkflow],
        workflow_runner=runner,
        data_converter=pydantic_data_converter,
    )


async def beginnings(history: WorkflowHistory) -> AsyncIterator[WorkflowHistory]:
    """The history as it was when each of its workflow tasks began, and when it had ended.

    Where it ends with a task that has begun, nothing is replayed there: the workflow goes on.
    """
    events = history.events
    for end, event in enumerate(events, start=1):
        is_begun = event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
        if is_begun or (end > 1 and end < len(events) and _is_scheduling(events[end])):
            yield WorkflowHistory(history.workflow_id, events[:end])


def _is_scheduling(event: HistoryEvent) -> bool:
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED


@workflow.defn(name="PaymentWorkflow", sandboxed=False)
class ChargesBeforeItVerifies(PaymentWorkflow):
    """A workflow with the steps in a dangerous order."""

    @workflow.init
    def __init__(self, instruction: PaymentInstruction) -> None:
        super().__init__(instruction)

    @workflow.run
    async def run(self, instruction: PaymentInstruction) -> Payment:
        await self._charge.make(self._check)
        return await super().run(instruction)


@pytest.mark.parametrize("recording", ALL)
async def test_recorded_history_replays(recording: str) -> None:
    await replayer().replay_workflow(read(recording))


@pytest.mark.parametrize("recording", ALL)
async def test_every_beginning_of_a_history_replays(recording: str) -> None:
    """A deployment may come at any time. The new version must continue from there."""
    without_sandbox = replayer(runner=UnsandboxedWorkflowRunner())  # as the worker, and faster
    await without_sandbox.replay_workflows(beginnings(read(recording)))


@pytest.mark.parametrize("recording", PAYMENTS)
async def test_changed_command_order_is_noticed(recording: str) -> None:
    with pytest.raises(workflow.NondeterminismError):
        await replayer(ChargesBeforeItVerifies).replay_workflow(read(recording))


def test_every_scenario_is_recorded() -> None:
    recorded_here = {each.partition("/")[2] for each in ALL if not each.startswith(FOREIGN)}
    assert recorded_here == {*SCENARIOS}
