"""Start the workflow of a payment or a refund: for a caller, or again if it was lost."""

from collections.abc import Awaitable
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentInstruction
from domain.refund import Refund
from workflows import operator_view
from workflows.payment import PaymentWorkflow
from workflows.refund import RefundWorkflow

RPC_TIMEOUT = timedelta(seconds=5)
"""Time limit of one request to Temporal, which takes milliseconds. Chosen, not measured."""


async def start_payment(
    client: Client, instruction: PaymentInstruction
) -> WorkflowHandle[PaymentWorkflow, Payment]:
    """Raises WorkflowAlreadyStartedError while a payment of the order is running, and RPCError."""
    return await client.start_workflow(
        PaymentWorkflow.run,
        instruction,
        id=names.workflow_id(instruction.order_id),
        task_queue=names.TASK_QUEUE,
        memo=operator_view.memo(instruction),
        search_attributes=operator_view.search_attributes(instruction),
        static_summary=operator_view.summary(instruction),
        rpc_timeout=RPC_TIMEOUT,
    )


async def start_refund(
    client: Client, refund: Refund, conflict_policy: WorkflowIDConflictPolicy
) -> WorkflowHandle[RefundWorkflow, Refund]:
    """Raises RPCError. `conflict_policy` says what happens if the refund is running already."""
    return await client.start_workflow(
        RefundWorkflow.run,
        refund,
        id=names.refund_workflow_id(refund.id),
        task_queue=names.TASK_QUEUE,
        id_conflict_policy=conflict_policy,
        search_attributes=operator_view.refund_search_attributes(refund),
        static_summary=operator_view.refund_summary(refund),
        rpc_timeout=RPC_TIMEOUT,
    )


class TemporalWorkflowStarter:
    """Implements `WorkflowStarter` with Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def resume(self, payment: Payment) -> bool:
        return await _is_started(start_payment(self._client, payment.to_resume()))

    async def resume_refund(self, refund: Refund) -> bool:
        return await _is_started(start_refund(self._client, refund, WorkflowIDConflictPolicy.FAIL))


async def _is_started(starting: Awaitable[object]) -> bool:
    """False if the workflow is running already. Raises PaymentError(SERVICE_UNAVAILABLE)."""
    try:
        await starting
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise PaymentError(
            ErrorCode.SERVICE_UNAVAILABLE, f"Temporal refuses to start it ({error.status.name})."
        ) from error
    return True
