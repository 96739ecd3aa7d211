"""Reading the workflow runs that Temporal remembers."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from audit.books import Saga
from audit.parallel import in_parallel
from domain.payment import Payment
from domain.refund import Refund
from workflows.payment import PaymentWorkflow
from workflows.refund import RefundWorkflow

EVERY_PAYMENT = f'WorkflowType = "{PaymentWorkflow.__name__}"'
EVERY_REFUND = f'WorkflowType = "{RefundWorkflow.__name__}"'
ENDINGS = {PaymentWorkflow.__name__: Payment, RefundWorkflow.__name__: Refund}
UNREADABLE = "unreadable"
"""Status of a completed run whose result is neither a payment nor a refund."""
WELL_ENDED = frozenset(
    {
        WorkflowExecutionStatus.COMPLETED,
        WorkflowExecutionStatus.CANCELED,
        WorkflowExecutionStatus.TERMINATED,
    }
)
"""Old runs that have ended like this are read only if they are asked for."""
BATCH = 1000
"""Runs that are held before their results are read. Chosen, not measured."""


async def read_runs(
    temporal: Client, since: datetime, wanted: Collection[str]
) -> dict[str, list[Saga]]:
    """By workflow id: runs that are wanted, recent, unfinished or broken. Raises RPCError."""
    sagas: dict[str, list[Saga]] = defaultdict(list)

    async def read(run: WorkflowExecution) -> None:
        if (saga := await _saga(temporal, run)) is not None:
            sagas[run.id].append(saga)

    batch = []
    async for run in temporal.list_workflows(f"{EVERY_PAYMENT} OR {EVERY_REFUND}"):
        if run.id in wanted or _matters(run, since):
            batch.append(read(run))
        if len(batch) >= BATCH:
            await in_parallel(batch)
            batch = []
    await in_parallel(batch)
    return sagas


def _matters(run: WorkflowExecution, since: datetime) -> bool:
    is_recent = run.start_time >= since or (run.close_time is not None and run.close_time >= since)
    return is_recent or run.status not in WELL_ENDED


async def _saga(temporal: Client, run: WorkflowExecution) -> Saga | None:
    """The run; None if Temporal has forgotten it since it was listed."""
    status = run.status.name.lower() if run.status else "unknown"
    ending: Payment | Refund | None = None
    if run.status is WorkflowExecutionStatus.COMPLETED:
        handle: WorkflowHandle[Any, Payment | Refund] = temporal.get_workflow_handle(
            run.id, run_id=run.run_id, result_type=ENDINGS[run.workflow_type]
        )
        try:
            ending = await handle.result(follow_runs=False)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        except (ValueError, TypeError, KeyError, RuntimeError):
            status = UNREADABLE
    return Saga(run.run_id, status, ending, run.start_time)
