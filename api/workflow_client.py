"""Temporal as the API uses it: start, join, await and cancel workflows."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.ports import RunningPayment
from api.refusals import Refusals
from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.instruction import RESERVATION_WAIT_SECONDS, PaymentInstruction
from domain.payment import Payment
from domain.refund import Refund
from workflows.operator_view import NEEDS_ATTENTION, ORDER_ID, SEARCH_ATTRIBUTES
from workflows.start import RPC_TIMEOUT, start_payment, start_refund

QUERY_TIMEOUT = timedelta(seconds=1)
"""Shorter than the time limit of a check of `/ready`, so that slow queries do not make the API not
ready: payments start even then."""
_MATCHES_NOTHING = " AND ".join(
    [f'{ORDER_ID.name} = "none"', *(f"{each.name} IS NOT NULL" for each in SEARCH_ATTRIBUTES)]
)
"""A query that uses every search attribute and matches no workflow."""
Ending = TypeVar("Ending")


class TemporalWorkflows:
    """Implements `PaymentWorkflows` and `RefundWorkflows` with Temporal.

    Raises PaymentError(SERVICE_UNAVAILABLE) while Temporal cannot be reached.
    """

    def __init__(
        self,
        client: Client,
        wait: timedelta,
        reservation_wait_seconds: int = RESERVATION_WAIT_SECONDS,
    ) -> None:
        self._client = client
        self._wait = wait
        self._reservation_wait_seconds = reservation_wait_seconds
        self._refusals = Refusals()

    async def count_needing_attention(self) -> int:
        """The running workflows that ask for a person. Raises RPCError."""
        query = f"{NEEDS_ATTENTION.name} = true AND ExecutionStatus = 'Running'"
        return (await self._client.count_workflows(query, rpc_timeout=RPC_TIMEOUT)).count

    async def start_or_join(self, instruction: PaymentInstruction) -> RunningPayment:
        """Start the payment. If the same payment of this order is running already, join that one.

        Raises PaymentError(PAYMENT_IN_PROGRESS) if a different payment of the order is running.
        """
        wait = {"reservation_wait_seconds": self._reservation_wait_seconds}
        started = instruction.model_copy(update=wait)
        try:
            handle = await start_payment(self._client, started)
        except WorkflowAlreadyStartedError as running:
            return await self._join(instruction, running.run_id)
        except RPCError as error:
            raise self._unavailable(error) from error
        return self._running(instruction.payment_id, handle)

    async def refund(self, refund: Refund) -> Refund | None:
        """Make the refund, or join a running one, and wait for its end.

        Returns None if that takes too long or cannot be read.
        """
        try:
            handle = await start_refund(self._client, refund, WorkflowIDConflictPolicy.USE_EXISTING)
        except RPCError as error:
            raise self._unavailable(error) from error
        return await self._result(handle)

    async def cancel(self, payment: Payment) -> None:
        """Request to cancel this payment. Another payment of the same order is not cancelled."""
        workflow_id = names.workflow_id(payment.order_id)
        try:
            latest = self._client.get_workflow_handle(workflow_id)
            found = await latest.describe(rpc_timeout=RPC_TIMEOUT)
            running = (await found.memo()).get(names.MEMO_PAYMENT_ID)
            if running is None:
                raise _in_progress()
            if running != str(payment.id):
                raise self._unavailable()
            run = self._client.get_workflow_handle(workflow_id, run_id=found.run_id)
            await run.cancel(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            raise self._unavailable(error) from error

    async def ping(self) -> None:
        await self._client.service_client.check_health(timeout=RPC_TIMEOUT)

    async def find_search_attributes(self) -> None:
        """Raises RPCError if a search attribute is not registered: then payments cannot start.

        This uses a query, because Temporal Cloud has no operator service.
        """
        try:
            await self._client.count_workflows(_MATCHES_NOTHING, rpc_timeout=QUERY_TIMEOUT)
        except RPCError as error:
            self._refusals.note(error)
            if error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise

    async def _result(self, handle: WorkflowHandle[Any, Ending]) -> Ending | None:
        try:
            async with asyncio.timeout(self._wait.total_seconds()):
                return await handle.result()
        except RPCError as error:
            self._refusals.note(error)
            return None
        except (TimeoutError, WorkflowFailureError):
            return None

    async def _join(self, instruction: PaymentInstruction, run_id: str | None) -> RunningPayment:
        handle: WorkflowHandle[Any, Payment] = self._client.get_workflow_handle(
            names.workflow_id(instruction.order_id), run_id=run_id, result_type=Payment
        )
        try:
            memo = await (await handle.describe(rpc_timeout=RPC_TIMEOUT)).memo()
        except RPCError as error:
            raise self._unavailable(error) from error
        running = memo.get(names.MEMO_PAYMENT_ID)
        if running is None or memo.get(names.MEMO_FINGERPRINT) != instruction.fingerprint:
            raise _in_progress()
        return self._running(UUID(running), handle)

    def _running(self, payment_id: UUID, handle: WorkflowHandle[Any, Payment]) -> RunningPayment:
        return RunningPayment(payment_id, partial(self._result, handle))

    def _unavailable(self, refusal: RPCError | None = None) -> PaymentError:
        if refusal is not None:
            self._refusals.note(refusal)
        return PaymentError(
            ErrorCode.SERVICE_UNAVAILABLE,
            "Payments cannot be processed just now. Send the same request again.",
        )


def _in_progress() -> PaymentError:
    """The error while another payment of the order is running.

    A running workflow without our memo counts as one: somebody has started it by hand.
    """
    return PaymentError(
        ErrorCode.PAYMENT_IN_PROGRESS,
        "Another payment of this order is being processed. Wait for it to end.",
    )
