"""Reads the input with which Temporal has started a workflow run."""

from uuid import UUID

from temporalio.client import Client
from temporalio.service import RPCError

from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction
from workflows.start import RPC_TIMEOUT


class TemporalStartInputs:
    """Implements `StartInputs` with the first event of the run's history."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def token_of(self, workflow_id: str, run_id: str, payment_id: UUID) -> str | None:
        instruction = await self._instruction(workflow_id, run_id)
        return instruction.token if instruction.payment_id == payment_id else None

    async def _instruction(self, workflow_id: str, run_id: str) -> PaymentInstruction:
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            started = await anext(handle.fetch_history_events(page_size=1, rpc_timeout=RPC_TIMEOUT))
        except RPCError as error:
            raise PaymentError(
                ErrorCode.SERVICE_UNAVAILABLE,
                f"Temporal does not show the payment's input ({error.status.name}).",
            ) from error
        payloads = started.workflow_execution_started_event_attributes.input.payloads
        instruction: PaymentInstruction
        [instruction] = await self._client.data_converter.decode(payloads, [PaymentInstruction])
        return instruction
