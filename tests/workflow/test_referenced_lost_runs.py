"""A run after a lost one, at a gateway that opens: it reads the row and looks up by reference."""

from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.charges import ChargeActivities
from activities.gateways import Gateways
from domain import names
from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeState, RefundRequest
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from domain.payment import Payment, PaymentStatus
from tests.support.attempts import TOKEN, attempt_of, by_token, states
from tests.support.builders import an_order
from tests.support.fakes.opening_gateway import FakeOpeningGateway
from tests.support.fakes.start_inputs import FakeStartInputs
from tests.support.invariants import assert_books_agree
from tests.support.loss import lose_at
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server
from tests.workflow.test_cancellation import cancel
from tests.workflow.test_referenced_charge import DECLINE, answer_as_an_earlier_version

temporal = own_server


async def resume(harness: SagaHarness, state: ChargeState | None, **changes: Any) -> Payment:
    """Resume a payment that a lost run has left with an attempt in this state, or with none."""
    world, instruction = harness.world, by_token(harness)
    recorded = Payment.pending(instruction)
    if state is not None:
        world.attempts["pi_1"] = attempt_of(instruction, state, "pi_1")
        recorded = recorded.referring("pi_1")
    if state is ChargeState.CAPTURED:
        world.captures.append(instruction.charge_request)
    world.payments[recorded.id] = recorded
    world.transitions[recorded.id].append(recorded.status)
    payment = await harness.pay(recorded.to_resume().model_copy(update=changes))
    assert_books_agree(world, payment)
    return payment


async def test_without_a_reference_nothing_was_captured(harness: SagaHarness) -> None:
    payment = await resume(harness, None)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert {"open_charge", "find_charge", "void_charge"}.isdisjoint(harness.world.calls)
    assert harness.world.topics == [TOPIC_FAILED]


@pytest.mark.parametrize("state", [ChargeState.OPEN, ChargeState.DECLINED])
async def test_what_is_not_authorized_is_voided(harness: SagaHarness, state: ChargeState) -> None:
    """The token is gone with the history of the lost run."""
    payment = await resume(harness, state)

    assert payment.status is PaymentStatus.FAILED
    assert states(harness.world) == [ChargeState.VOIDED]
    assert "authorize" not in harness.world.calls


@pytest.mark.parametrize("state", [None, ChargeState.OPEN])
async def test_a_caller_that_comes_again_brings_the_token(
    harness: SagaHarness, state: ChargeState | None
) -> None:
    payment = await resume(harness, state, token=TOKEN)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert states(harness.world) == [ChargeState.CAPTURED]


@pytest.mark.parametrize("state", [ChargeState.AUTHORIZED, ChargeState.CAPTURED])
async def test_what_is_authorized_is_captured_once(
    harness: SagaHarness, state: ChargeState
) -> None:
    payment = await resume(harness, state)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert states(harness.world) == [ChargeState.CAPTURED]
    assert harness.world.topics == [TOPIC_SUCCEEDED]
    assert "authorize" not in harness.world.calls


async def test_what_an_earlier_version_finds_at_the_simulator_does_not_count(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_as_an_earlier_version(monkeypatch, "find_charge")

    payment = await resume(harness, ChargeState.CAPTURED)

    assert payment.status is PaymentStatus.SUCCEEDED


async def test_an_authorized_payment_of_an_order_that_is_gone_is_voided(
    harness: SagaHarness,
) -> None:
    world, instruction = harness.world, by_token(harness)
    world.attempts["pi_1"] = attempt_of(instruction, ChargeState.AUTHORIZED, "pi_1")
    recorded = Payment.pending(instruction).referring("pi_1")
    world.payments[recorded.id] = recorded
    world.transitions[recorded.id].append(recorded.status)
    world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    payment = await harness.pay(recorded.to_resume())

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert states(world) == [ChargeState.VOIDED]
    assert world.events == []
    assert_books_agree(world, payment)


@pytest.mark.parametrize("is_declined", [False, True])
async def test_a_late_step_of_a_run_that_gave_up_refunds_no_success(
    harness: SagaHarness, is_declined: bool
) -> None:
    """The lost run voids its attempt. Before that arrives, the customer sends the request again.

    Stripe leaves the attempt open when it refuses a token, so another token could be charged.
    """
    world, instruction = harness.world, by_token(harness)
    if is_declined:
        world.decline = DECLINE
    else:
        world.after["open_charge"] = cancel(harness)
    await lose_at(harness, instruction, "void_charge")
    world.after.clear()
    world.decline = None
    (attempt,) = world.attempts.values()
    attempt.charge = attempt.charge.model_copy(update={"state": ChargeState.OPEN})

    payment = await harness.pay(world.payments[instruction.payment_id].to_resume(instruction))
    await arrive_late(harness, payment)

    assert payment.status is PaymentStatus.FAILED
    assert harness.world.net_minor_units == 0
    assert_books_agree(world, payment)


async def arrive_late(harness: SagaHarness, payment: Payment) -> Charge:
    """Run the step of the lost run that refunds or voids the charge."""
    gateways = Gateways({payment.gateway: FakeOpeningGateway(harness.world)})
    steps = ChargeActivities(gateways, FakeStartInputs(harness.world))
    request = RefundRequest(
        key=names.refund_key(payment.id),
        charge_key=names.charge_key(payment.id),
        amount=payment.amount,
        gateway=payment.gateway,
        reference=payment.gateway_reference,
    )
    return await ActivityEnvironment().run(steps.refund_charge, request)
