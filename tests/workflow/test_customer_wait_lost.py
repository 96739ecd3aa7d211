"""A payment whose workflow was lost while it waited for its customer."""

from datetime import timedelta

from domain.customer_action import Wait
from domain.errors import ErrorCode
from domain.gateway import ChargeState
from domain.instruction import PaymentInstruction
from domain.payment import Payment, PaymentStatus
from tests.support.attempts import attempt_of, states
from tests.support.customers import WAIT, at_look, pay, the_attempt, waiting
from tests.support.fakes.opening_gateway import Attempt
from tests.support.saga_harness import SagaHarness


def lost(harness: SagaHarness, instruction: PaymentInstruction, *, recorded: bool) -> Payment:
    """Add the row and the attempt of a payment that waits. Returns the row."""
    reference = "cs_1" if instruction.token is None else "pi_1"
    attempt = attempt_of(instruction, ChargeState.WAITING, reference)
    harness.world.attempts[reference] = attempt
    payment = Payment.pending(instruction).referring(reference)
    if recorded:
        since = harness.started_at
        payment = payment.waiting(Wait(since=since, until=since + WAIT))
    harness.world.payments[payment.id] = payment
    return payment


async def test_a_lost_payment_goes_on_waiting(harness: SagaHarness, *, hosted: bool) -> None:
    row = lost(harness, waiting(harness, hosted=hosted), recorded=True)
    harness.world.before["find_charge"] = at_look(harness, 3, Attempt.customer_confirms)

    payment = await pay(harness, row.to_resume())

    assert payment.status is PaymentStatus.SUCCEEDED
    assert "record_wait" not in harness.world.calls


async def test_a_lost_payment_waits_no_longer_than_was_said(
    harness: SagaHarness, *, hosted: bool
) -> None:
    row = lost(harness, waiting(harness, hosted=hosted), recorded=True)

    payment = await pay(harness, row.to_resume())

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.processed_at is not None
    assert WAIT <= payment.processed_at - harness.started_at < WAIT + timedelta(minutes=1)


async def test_a_lost_payment_captures_nothing_that_was_confirmed_after_the_end(
    harness: SagaHarness, *, hosted: bool
) -> None:
    """The event about the late confirmation resumes the payment."""
    row = lost(harness, waiting(harness, hosted=hosted, reserved=False), recorded=True)
    assert row.wait is not None
    over = row.wait.model_copy(update={"until": harness.started_at - timedelta(minutes=1)})
    harness.world.payments[row.id] = row.waiting(over)
    the_attempt(harness).customer_confirms()

    payment = await pay(harness, row.to_resume())

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert states(harness.world) == [ChargeState.VOIDED]


async def test_nobody_waits_if_the_customer_was_told_nothing(
    harness: SagaHarness, *, hosted: bool
) -> None:
    """The workflow was lost before the wait was recorded, and the caller does not come again."""
    row = lost(harness, waiting(harness, hosted=hosted), recorded=False)

    payment = await pay(harness, row.to_resume())

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.processed_at is not None
    assert payment.processed_at - harness.started_at < timedelta(minutes=1)
    assert states(harness.world) == [ChargeState.VOIDED]


async def test_a_caller_who_comes_again_lets_it_wait(harness: SagaHarness, *, hosted: bool) -> None:
    asked = waiting(harness, hosted=hosted)
    row = lost(harness, asked, recorded=False)
    harness.world.before["find_charge"] = at_look(harness, 3, Attempt.customer_confirms)

    payment = await pay(harness, row.to_resume(asked))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert harness.world.calls.count("record_wait") == 1
