"""Loses a payment's workflow at a chosen operation, and resumes it by the reconciliation."""

from uuid import uuid4

import pytest
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from domain import names
from domain.instruction import PaymentInstruction
from domain.names import workflow_id
from domain.payment import Payment
from tests.support.saga_harness import SagaHarness
from workflows.payment import PaymentWorkflow
from workflows.reconciliation import CHECKED_AFTER, ReconciliationWorkflow


def an_old_instruction(harness: SagaHarness) -> PaymentInstruction:
    """An instruction that is old enough for the reconciliation."""
    requested_at = harness.started_at - 2 * CHECKED_AFTER
    return harness.an_instruction().model_copy(update={"requested_at": requested_at})


async def lose_at(harness: SagaHarness, instruction: PaymentInstruction, operation: str) -> None:
    """Start a payment, and terminate its workflow before the operation has its effect."""
    world = harness.world
    running = harness.client.get_workflow_handle(workflow_id(instruction.order_id))

    async def terminate() -> None:
        await running.terminate()
        await world.down(operation)()

    world.before[operation] = terminate
    handle = await harness.start(instruction)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    world.before.clear()
    world.calls.clear()


async def reconcile(harness: SagaHarness) -> int:
    """Run a round of the reconciliation. Returns how many workflows it started."""
    return await harness.client.execute_workflow(
        ReconciliationWorkflow.run, id=str(uuid4()), task_queue=names.TASK_QUEUE
    )


async def ending(harness: SagaHarness, instruction: PaymentInstruction) -> Payment:
    """The result of the latest run of the order's workflow. Skips time while it runs."""
    handle: WorkflowHandle[PaymentWorkflow, Payment] = harness.client.get_workflow_handle_for(
        PaymentWorkflow.run, workflow_id(instruction.order_id)
    )
    await harness.client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
    try:
        return await handle.result()
    finally:
        await harness.client.test_service.lock_time_skipping(LockTimeSkippingRequest())


async def resumed(harness: SagaHarness, instruction: PaymentInstruction) -> Payment:
    """Run a round of the reconciliation that resumes the payment. Returns how the payment ends."""
    assert await reconcile(harness) == 1
    return await ending(harness, instruction)
