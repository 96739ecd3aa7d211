"""The workflow still makes the decisions of yesterday's histories, command by command.

If this fails, a payment that runs during the deployment would stand still. Put the change behind
`workflow.patched()` and record a new history beside the old ones (`tests/replay/record.py`).
"""

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from domain.payment import Payment, PaymentInstruction
from tests.replay.record import HISTORIES, REFUND, SCENARIOS
from workflows import sandbox
from workflows.payment import PaymentWorkflow
from workflows.refund import RefundWorkflow


def read(name: str) -> WorkflowHistory:
    text = (HISTORIES / f"{name}.json").read_text()
    return WorkflowHistory.from_json(name, text)


def replayer(definition: type) -> Replayer:
    return Replayer(
        workflows=[definition],
        workflow_runner=sandbox.RUNNER,
        data_converter=pydantic_data_converter,
    )


@workflow.defn(name="PaymentWorkflow", sandboxed=False)
class ChargesBeforeItVerifies(PaymentWorkflow):
    """The same steps in an order that would cost money."""

    @workflow.init
    def __init__(self, instruction: PaymentInstruction) -> None:
        super().__init__(instruction)

    @workflow.run
    async def run(self, instruction: PaymentInstruction) -> Payment:
        self._charge = await self._steps.charge(within=self._check.charge_budget)
        return await super().run(instruction)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_recorded_history_replays(name: str) -> None:
    await replayer(PaymentWorkflow).replay_workflow(read(name))


async def test_recorded_refund_replays() -> None:
    await replayer(RefundWorkflow).replay_workflow(read(REFUND))


@pytest.mark.parametrize("name", SCENARIOS)
async def test_changed_command_order_is_noticed(name: str) -> None:
    with pytest.raises(workflow.NondeterminismError):
        await replayer(ChargesBeforeItVerifies).replay_workflow(read(name))


def test_every_recording_is_replayed() -> None:
    assert {file.stem for file in HISTORIES.glob("*.json")} == {*SCENARIOS, REFUND}
