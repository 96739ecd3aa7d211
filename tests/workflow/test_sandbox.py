"""The worker runs workflows outside Temporal's sandbox, so the code must need none.

Here it runs inside the sandbox, which imports every module anew and refuses what is not
deterministic: clocks, random numbers, files, sockets, other processes.
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from domain.names import TASK_QUEUE
from domain.payment import PaymentStatus
from domain.refund import Refund, RefundStatus
from tests.support.saga_harness import SagaHarness
from tests.support.sandbox import STRICT
from tests.workflow.reads_the_clock import ReadsTheClock
from workflows.reconciliation import ReconciliationWorkflow
from workflows.start import start_refund


async def test_every_workflow_runs_in_the_sandbox(idle_harness: SagaHarness) -> None:
    harness = idle_harness
    async with harness.worker(workflow_runner=STRICT):
        payment = await harness.pay()
        refund = Refund.pending(payment, payment.amount, "key", harness.started_at)
        refunding = await start_refund(harness.client, refund, WorkflowIDConflictPolicy.FAIL)
        refunded = await refunding.result()
        resumed = await harness.client.execute_workflow(
            ReconciliationWorkflow.run, id=str(uuid4()), task_queue=TASK_QUEUE
        )

    assert (payment.status, refunded.status) == (PaymentStatus.SUCCEEDED, RefundStatus.SUCCEEDED)
    assert resumed == 0


async def test_the_sandbox_refuses_a_clock(idle_harness: SagaHarness) -> None:
    queue = str(uuid4())
    async with Worker(
        idle_harness.client,
        task_queue=queue,
        workflows=[ReadsTheClock],
        workflow_runner=STRICT,
        workflow_failure_exception_types=[Exception],
    ):
        with pytest.raises(WorkflowFailureError) as failure:
            await idle_harness.client.execute_workflow(
                ReadsTheClock.run,
                id=str(uuid4()),
                task_queue=queue,
                execution_timeout=timedelta(minutes=1),
            )

    assert "time.time" in str(failure.value.cause)
