"""Attempts that hold or have taken money although their payment does not count them."""

from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle

from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.gateway import ChargeState
from domain.gateways import GatewayName
from domain.payment import Payment
from domain.stray_attempt import StrayAttempt
from tests.support.attempts import attempt_of, by_token
from tests.support.saga_harness import SagaHarness, attention_flags
from tests.support.time_skipping import skipping_time
from tests.workflow.test_dispute_watch import shown
from tests.workflow.test_referenced_charge import answer_as_an_earlier_version
from workflows.start import start_stray_attempt
from workflows.stray_attempt import StrayAttemptWorkflow

TIMEOUT = PaymentError(ErrorCode.PROCESSOR_TIMEOUT, "The customer did not confirm in time.")


def stray_of(harness: SagaHarness) -> str:
    """The reference of the stray attempt. No other test uses it."""
    return f"pi_{id(harness.world)}"


def failed(harness: SagaHarness, state: ChargeState) -> Payment:
    """A payment that has failed, and its attempt, which has this state now."""
    instruction = by_token(harness)
    harness.world.attempts[stray_of(harness)] = attempt_of(instruction, state, stray_of(harness))
    if state is ChargeState.CAPTURED:
        harness.world.captures.append(instruction.charge_request)
    payment = Payment.pending(instruction).referring(stray_of(harness))
    payment = payment.failed(TIMEOUT, harness.started_at)
    harness.world.payments[payment.id] = payment
    return payment


async def undo(
    harness: SagaHarness, payment: Payment, reference: str | None = None
) -> WorkflowHandle[StrayAttemptWorkflow, None]:
    reference = reference or stray_of(harness)
    stray = StrayAttempt(
        payment_id=payment.id,
        order_id=payment.order_id,
        gateway=GatewayName.STRIPE,
        reference=reference,
    )
    await start_stray_attempt(harness.client, stray)
    await start_stray_attempt(harness.client, stray)  # the event comes twice
    return harness.client.get_workflow_handle_for(
        StrayAttemptWorkflow.run, names.stray_attempt_id(reference)
    )


def state_of(harness: SagaHarness, reference: str | None = None) -> ChargeState:
    return harness.world.attempts[reference or stray_of(harness)].charge.state


async def test_an_authorization_that_came_too_late_is_voided(harness: SagaHarness) -> None:
    payment = failed(harness, ChargeState.AUTHORIZED)

    await (await undo(harness, payment)).result()

    assert state_of(harness) is ChargeState.VOIDED
    assert harness.world.payments[payment.id] == payment


async def test_money_that_was_taken_is_refunded_and_shown(harness: SagaHarness) -> None:
    payment = failed(harness, ChargeState.CAPTURED)
    handle = await undo(harness, payment)
    await shown(handle, flagged=True)
    await handle.cancel()
    await handle.result()

    assert attention_flags(await handle.fetch_history()) == [True]
    assert harness.world.net_minor_units == 0
    assert harness.world.payments[payment.id] == payment
    assert harness.world.events == []


async def test_an_attempt_beside_the_one_that_has_paid_is_voided(harness: SagaHarness) -> None:
    instruction = by_token(harness)
    payment = await harness.pay(instruction)
    harness.world.attempts[stray_of(harness)] = attempt_of(
        instruction, ChargeState.AUTHORIZED, stray_of(harness)
    )

    await (await undo(harness, payment)).result()

    assert state_of(harness) is ChargeState.VOIDED
    assert harness.world.net_minor_units == payment.amount.minor_units


async def test_what_the_payment_itself_has_undone_is_not_shown(harness: SagaHarness) -> None:
    payment = failed(harness, ChargeState.REFUNDED)

    handle = await undo(harness, payment)
    await handle.result()

    assert attention_flags(await handle.fetch_history()) == []
    assert "void_charge" not in harness.world.calls


async def test_what_has_paid_is_kept(harness: SagaHarness) -> None:
    payment = await harness.pay(by_token(harness))
    reference = payment.gateway_reference or ""

    await (await undo(harness, payment, reference)).result()

    assert state_of(harness, reference) is ChargeState.CAPTURED
    assert {"void_charge", "refund"}.isdisjoint(harness.world.calls)


async def test_the_attempt_of_a_pending_payment_is_left_to_it(harness: SagaHarness) -> None:
    failed(harness, ChargeState.AUTHORIZED)
    [payment] = harness.world.payments.values()
    pending = payment.model_copy(
        update={"status": "pending", "error_code": None, "gateway_reference": None}
    )
    harness.world.payments[payment.id] = pending

    await (await undo(harness, payment)).result()

    assert state_of(harness) is ChargeState.AUTHORIZED


@pytest.mark.parametrize("has_row", [True, False])
async def test_a_payment_that_is_not_ours_is_left_alone(
    harness: SagaHarness, *, has_row: bool
) -> None:
    payment = failed(harness, ChargeState.AUTHORIZED)
    if not has_row:
        del harness.world.payments[payment.id]

    await (await undo(harness, payment.model_copy(update={"order_id": uuid4()}))).result()

    assert state_of(harness) is ChargeState.AUTHORIZED


async def test_it_is_tried_until_the_gateway_answers(harness: SagaHarness) -> None:
    world = harness.world
    payment = failed(harness, ChargeState.AUTHORIZED)
    world.before["void_charge"] = world.times(3, world.down("void_charge"))

    handle = await undo(harness, payment)
    async with skipping_time(harness.client):
        await handle.result()

    assert state_of(harness) is ChargeState.VOIDED


async def test_what_an_earlier_version_voids_at_the_simulator_does_not_count(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = failed(harness, ChargeState.AUTHORIZED)
    answer_as_an_earlier_version(monkeypatch, "void_charge")

    handle = await undo(harness, payment)
    async with skipping_time(harness.client):
        await handle.result()

    assert state_of(harness) is ChargeState.VOIDED
