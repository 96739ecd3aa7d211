"""The token of a payment is read from the input of the payment's own workflow run."""

from uuid import uuid4

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.names import workflow_id
from tests.support.attempts import TOKEN, by_token
from tests.support.saga_harness import SagaHarness
from workflows.start_inputs import TemporalStartInputs


@pytest.mark.parametrize("token", [TOKEN, None])
async def test_the_token_is_read_in_the_input_of_the_run(
    harness: SagaHarness, token: str | None
) -> None:
    instruction = by_token(harness).model_copy(update={"token": token})
    handle = await harness.start(instruction)
    await handle.result()
    inputs, run = TemporalStartInputs(harness.client), (handle.id, handle.result_run_id or "")

    assert await inputs.token_of(*run, instruction.payment_id) == token
    assert await inputs.token_of(*run, uuid4()) is None


async def test_an_unknown_run_has_no_answer(harness: SagaHarness) -> None:
    inputs = TemporalStartInputs(harness.client)

    with pytest.raises(PaymentError) as caught:
        await inputs.token_of(workflow_id(uuid4()), str(uuid4()), uuid4())
    assert caught.value.code is ErrorCode.SERVICE_UNAVAILABLE
