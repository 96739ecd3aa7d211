"""A cancellation at every await: no refund is lost and no effect is left incomplete."""

from datetime import timedelta

import pytest
from temporalio import activity

from api.workflow_client import TemporalWorkflows
from domain.errors import ErrorCode, PaymentError
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, workflow_id
from domain.payment import PaymentStatus
from tests.support.builders import a_payment
from tests.support.fakes.world import REFUNDED, Fault, refusal
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import SagaHarness

VERIFICATION = ["fetch_order", "fetch_reservation", "record_pending"]


def cancel(harness: SagaHarness) -> Fault:
    """Request the cancellation of the workflow whose activity is running, from inside of it."""

    async def request() -> None:
        running = activity.info().workflow_id
        assert running is not None
        await harness.client.get_workflow_handle(running).cancel()

    return request


@pytest.mark.parametrize("operation", VERIFICATION)
async def test_a_cancellation_before_the_charge_prevents_it(
    harness: SagaHarness, operation: str
) -> None:
    async def fail_locally_then_cancel() -> None:
        await (harness.world.down(operation) if activity.info().is_local else cancel(harness))()

    harness.world.before[operation] = fail_locally_then_cancel

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert "charge" not in harness.world.calls
    assert harness.world.topics == [TOPIC_FAILED]
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", VERIFICATION)
async def test_a_cancellation_in_the_first_task_keeps_nothing(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.before[operation] = cancel(harness)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert harness.world.net_minor_units == 0
    assert harness.world.topics == [TOPIC_FAILED]
    assert_books_agree(harness.world, payment)


async def test_a_cancellation_during_the_charge_refunds_it(harness: SagaHarness) -> None:
    harness.world.before["charge"] = cancel(harness)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert harness.world.calls[-4:] == REFUNDED
    assert_books_agree(harness.world, payment)


async def test_a_cancellation_waits_for_an_unknown_outcome(harness: SagaHarness) -> None:
    harness.world.after["charge"] = harness.world.times(1, harness.world.down("charge"))
    harness.world.before["find_charge"] = cancel(harness)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert len(harness.world.captures) == len(harness.world.refunds) == 1
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", ["record_succeeded", TOPIC_SUCCEEDED])
async def test_a_cancellation_after_the_charge_is_too_late(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.before[operation] = cancel(harness)

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", ["void_charge", "refund", "record_failed", TOPIC_FAILED])
async def test_a_cancellation_does_not_stop_a_compensation(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    harness.world.before[operation] = cancel(harness)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert harness.world.calls[-4:] == REFUNDED
    assert_books_agree(harness.world, payment)


async def test_a_cancellation_between_two_rounds_does_not_stop_a_refund(
    harness: SagaHarness,
) -> None:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    harness.world.before["refund"] = harness.world.times(2, refusal(ErrorCode.REFUND_REFUSED))
    harness.world.before["void_charge"] = cancel(harness)

    payment = await harness.pay()

    assert harness.world.calls.count("refund") == 3
    assert_books_agree(harness.world, payment)


async def test_a_cancellation_before_the_first_step_prevents_the_charge(
    idle_harness: SagaHarness,
) -> None:
    instruction = idle_harness.an_instruction()
    handle = await idle_harness.start(instruction)
    await idle_harness.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()

    async with idle_harness.worker():
        payment = await handle.result()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert "charge" not in idle_harness.world.calls
    assert_books_agree(idle_harness.world, payment)


async def test_another_payment_of_the_order_is_not_cancelled(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    sagas = TemporalWorkflows(harness.client, wait=timedelta(seconds=1))
    earlier = a_payment(order_id=instruction.order_id)
    refusals = []

    async def cancel_the_earlier_one() -> None:
        with pytest.raises(PaymentError) as refusal:
            await sagas.cancel(earlier)
        refusals.append(refusal.value.code)

    harness.world.before["charge"] = cancel_the_earlier_one

    payment = await harness.pay(instruction)

    assert refusals == [ErrorCode.SERVICE_UNAVAILABLE]
    assert payment.status is PaymentStatus.SUCCEEDED
