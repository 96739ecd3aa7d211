"""Reads the workflow runs that Temporal still has."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from audit.books import WorkflowRun
from audit.parallel import in_parallel
from domain.payment import Payment
from domain.refund import Refund
from workflows.payment import PaymentWorkflow
from workflows.refund import RefundWorkflow

EVERY_PAYMENT = f'WorkflowType = "{PaymentWorkflow.__name__}"'
EVERY_REFUND = f'WorkflowType = "{RefundWorkflow.__name__}"'
RESULT_TYPES = {PaymentWorkflow.__name__: Payment, RefundWorkflow.__name__: Refund}
UNREADABLE = "unreadable"
"""Status of a completed run whose result is neither a payment nor a refund."""
NOT_FAILED = frozenset(
    {
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
    }
)
"""Statuses of runs that ended without an error. An old run of these is read only if its workflow id
is in `wanted`."""
BATCH_SIZE = 1000
"""Runs whose results are read together. Chosen, not measured."""


async def read_runs(
    temporal: Client, since: datetime, wanted: Collection[str]
) -> dict[str, list[WorkflowRun]]:
    """Runs by workflow id: the wanted ones, and all that are recent, running or failed.

    A run is recent if it started or closed at `since` or later. Raises RPCError.
    """
    runs: dict[str, list[WorkflowRun]] = defaultdict(list)

    async def read(execution: WorkflowExecution) -> None:
        if (run := await _read_run(temporal, execution)) is not None:
            runs[execution.id].append(run)

    batch = []
    async for execution in temporal.list_workflows(f"{EVERY_PAYMENT} OR {EVERY_REFUND}"):
        if execution.id in wanted or _must_be_read(execution, since):
            batch.append(read(execution))
        if len(batch) >= BATCH_SIZE:
            await in_parallel(batch)
            batch = []
    await in_parallel(batch)
    return runs


def _must_be_read(run: WorkflowExecution, since: datetime) -> bool:
    """True if the run is recent, running or failed."""
    is_recent = run.start_time >= since or (run.close_time is not None and run.close_time >= since)
    return is_recent or run.status not in NOT_FAILED


async def _read_run(temporal: Client, execution: WorkflowExecution) -> WorkflowRun | None:
    """The run with its result; None if Temporal has deleted it since it was listed."""
    status = execution.status.name.lower() if execution.status else "unknown"
    result: Payment | Refund | None = None
    if execution.status is WorkflowExecutionStatus.COMPLETED:
        handle: WorkflowHandle[Any, Payment | Refund] = temporal.get_workflow_handle(
            execution.id,
            run_id=execution.run_id,
            result_type=RESULT_TYPES[execution.workflow_type],
        )
        try:
            result = await handle.result(follow_runs=False)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        except (ValueError, TypeError, KeyError, RuntimeError):
            status = UNREADABLE
    return WorkflowRun(execution.run_id, status, result, execution.start_time)
