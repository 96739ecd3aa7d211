"""Each run of a workflow is recorded with its payment or refund, so that the timeline shows it."""

from temporalio.common import WorkflowIDConflictPolicy

from domain.names import workflow_id
from domain.payment import PaymentStatus
from domain.refund import Refund
from tests.support.loss import an_old_instruction, lose_at, resumed
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server
from workflows.start import start_payment, start_refund

temporal = own_server


async def latest_run(harness: SagaHarness, workflow: str) -> str:
    return (await harness.client.get_workflow_handle(workflow).describe()).run_id


async def test_a_resumed_payment_has_both_runs(harness: SagaHarness) -> None:
    instruction = an_old_instruction(harness)
    workflow = workflow_id(instruction.order_id)
    await lose_at(harness, instruction, "charge")
    first = await latest_run(harness, workflow)

    payment = await resumed(harness, instruction)

    second = await latest_run(harness, workflow)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert first != second
    assert harness.world.runs == {payment.id: [second, first]}


async def test_a_payment_that_could_not_claim_has_the_run_in_which_it_failed(
    harness: SagaHarness,
) -> None:
    harness.world.before["record_pending"] = harness.world.down("record_pending")
    started = await start_payment(harness.client, harness.an_instruction())

    payment = await started.result()

    assert payment.status is PaymentStatus.FAILED
    assert harness.world.runs == {payment.id: [started.first_execution_run_id]}


async def test_a_refund_that_is_started_again_has_both_runs(harness: SagaHarness) -> None:
    payment = await harness.pay()
    refund = Refund.pending(payment, payment.amount, "key", harness.started_at)

    runs = []
    for _ in range(2):
        started = await start_refund(harness.client, refund, WorkflowIDConflictPolicy.FAIL)
        await started.result()
        runs.append(started.first_execution_run_id)

    assert harness.world.runs[refund.id] == runs[::-1]
