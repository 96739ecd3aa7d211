"""What webhooks do at Temporal: signal a running workflow, or start one."""

from collections.abc import Awaitable
from uuid import UUID

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from api.refusals import Refusals
from domain import names
from domain.dispute import Dispute
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.refund import Refund
from domain.stray_attempt import StrayAttempt
from workflows.start import (
    RPC_TIMEOUT,
    TemporalWorkflowStarter,
    start_stray_attempt,
    watch_dispute,
    watch_refund,
)


class TemporalSignals:
    """Implements `WebhookWorkflows` with Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._starter = TemporalWorkflowStarter(client)
        self._refusals = Refusals()

    async def look_again(self, payment_id: UUID, order_id: UUID) -> bool:
        """Signal the running workflow of this payment to look again. False if none is running.

        The workflow's id is the order's, so another payment may be running under it. Therefore the
        signal is sent to the run whose memo names the payment. It never starts a workflow, because
        that would begin a second payment of the order.
        """
        workflow_id = names.workflow_id(order_id)
        try:
            latest = self._client.get_workflow_handle(workflow_id)
            found = await latest.describe(rpc_timeout=RPC_TIMEOUT)
            running = (await found.memo()).get(names.MEMO_PAYMENT_ID)
        except RPCError as error:
            return self._not_found(error)
        is_running = found.status is WorkflowExecutionStatus.RUNNING
        if not is_running or running != str(payment_id):
            return False
        return await self._signal(workflow_id, found.run_id)

    async def look_at_refund_again(self, refund_id: UUID) -> bool:
        """Signal the workflows that make and watch the refund. False if none is running.

        Both may be running: the first one may still publish its event, and ignores the signal then.
        """
        ids = (names.refund_workflow_id(refund_id), names.refund_watch_id(refund_id))
        return any([await self._signal(each) for each in ids])

    async def resume(self, payment: Payment) -> bool:
        """Start the lost workflow of a payment again. False if one of its order is running."""
        return await self._starter.resume(payment)

    async def undo(self, stray: StrayAttempt) -> None:
        """Start the workflow that undoes this attempt, unless it is running."""
        await self._start(start_stray_attempt(self._client, stray))

    async def watch_refund(self, refund: Refund) -> None:
        """Start the workflow that checks whether this successful refund has failed later."""
        await self._start(watch_refund(self._client, refund))

    async def watch(self, dispute: Dispute) -> None:
        """Start the workflow that shows operators the dispute. If it is running, signal it."""
        await self._start(watch_dispute(self._client, dispute))

    async def _signal(self, workflow_id: str, run_id: str | None = None) -> bool:
        run = self._client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            await run.signal(names.SIGNAL_LOOK_AGAIN, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            return self._not_found(error)
        return True

    async def _start(self, starting: Awaitable[None]) -> None:
        try:
            await starting
        except RPCError as error:
            raise self._unavailable(error) from error

    def _not_found(self, error: RPCError) -> bool:
        """False if Temporal says that no such workflow runs; otherwise raises PaymentError."""
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise self._unavailable(error) from error

    def _unavailable(self, error: RPCError) -> PaymentError:
        self._refusals.note(error)
        return PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "Temporal cannot be told just now.")
