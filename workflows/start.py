"""Start a workflow: for a caller, again if it was lost, or because of a gateway's event.

Workflows are named, not imported: the API needs none of their code, which takes memory and time.
"""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain import names
from domain.dispute import Dispute
from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from domain.refund import Refund
from domain.stray_attempt import StrayAttempt
from workflows import operator_view

RPC_TIMEOUT = timedelta(seconds=5)
"""Time limit of one request to Temporal, which takes milliseconds. Chosen, not measured."""


async def start_payment(
    client: Client, instruction: PaymentInstruction
) -> WorkflowHandle[Any, Payment]:
    """Raises WorkflowAlreadyStartedError while a payment of the order is running, and RPCError."""
    return await client.start_workflow(
        names.PAYMENT_WORKFLOW,
        instruction,
        id=names.workflow_id(instruction.order_id),
        task_queue=names.TASK_QUEUE,
        memo=operator_view.memo(instruction),
        search_attributes=operator_view.search_attributes(instruction),
        static_summary=operator_view.summary(instruction),
        rpc_timeout=RPC_TIMEOUT,
        result_type=Payment,
    )


async def start_refund(
    client: Client, refund: Refund, conflict_policy: WorkflowIDConflictPolicy
) -> WorkflowHandle[Any, Refund]:
    """Raises RPCError. `conflict_policy` says what happens if the refund is running already."""
    return await client.start_workflow(
        names.REFUND_WORKFLOW,
        refund,
        id=names.refund_workflow_id(refund.id),
        task_queue=names.TASK_QUEUE,
        id_conflict_policy=conflict_policy,
        search_attributes=operator_view.refund_search_attributes(refund),
        static_summary=operator_view.refund_summary(refund),
        rpc_timeout=RPC_TIMEOUT,
        result_type=Refund,
    )


async def start_stray_attempt(client: Client, stray: StrayAttempt) -> None:
    """Start the workflow that undoes a stray attempt, unless it is running. Raises RPCError."""
    await client.start_workflow(
        names.STRAY_ATTEMPT_WORKFLOW,
        stray,
        id=names.stray_attempt_id(stray.reference),
        task_queue=names.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=operator_view.order_search_attributes(stray.order_id),
        static_summary=f"stray attempt {stray.reference} · order {stray.order_id}",
        rpc_timeout=RPC_TIMEOUT,
    )


async def watch_dispute(client: Client, dispute: Dispute) -> None:
    """Start the workflow that shows operators the dispute. Raises RPCError.

    If it is already running, it only gets the signal to look again.
    """
    await client.start_workflow(
        names.DISPUTE_WATCH,
        dispute,
        id=names.dispute_watch_id(dispute.reference),
        task_queue=names.TASK_QUEUE,
        start_signal=names.SIGNAL_LOOK_AGAIN,
        static_summary=f"dispute {dispute.reference} · {dispute.attempt}",
        rpc_timeout=RPC_TIMEOUT,
    )


async def watch_refund(client: Client, refund: Refund) -> None:
    """Start the workflow that checks whether a successful refund fails later. Raises RPCError.

    It checks at once. If it is already running, it only gets the signal to do so.
    """
    await client.start_workflow(
        names.REFUND_WATCH,
        refund,
        id=names.refund_watch_id(refund.id),
        task_queue=names.TASK_QUEUE,
        start_signal=names.SIGNAL_LOOK_AGAIN,
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
