"""Starting a payment's workflow: for a caller, or again for a payment that has lost its own."""

from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError

from domain import names
from domain.payment import Payment, PaymentInstruction
from workflows import operator_view
from workflows.payment import PaymentWorkflow

RPC_TIMEOUT = timedelta(seconds=5)


async def start_payment(
    client: Client, instruction: PaymentInstruction
) -> WorkflowHandle[PaymentWorkflow, Payment]:
    """Raises WorkflowAlreadyStartedError while a payment of the order runs, and RPCError."""
    return await client.start_workflow(
        PaymentWorkflow.run,
        instruction,
        id=names.workflow_id(instruction.order_id),
        task_queue=names.TASK_QUEUE,
        memo={
            names.MEMO_FINGERPRINT: instruction.fingerprint,
            names.MEMO_PAYMENT_ID: str(instruction.payment_id),
        },
        search_attributes=operator_view.search_attributes(instruction),
        static_summary=operator_view.summary(instruction),
        rpc_timeout=RPC_TIMEOUT,
    )


class TemporalSagas:
    """The port `Sagas` on Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def resume(self, payment: Payment) -> bool:
        try:
            await start_payment(self._client, payment.to_resume())
        except WorkflowAlreadyStartedError:
            return False
        return True
