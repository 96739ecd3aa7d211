"""A cancellation request at every await: no refund is lost and no effect is left half done."""

from datetime import timedelta

import pytest
from temporalio import activity

from api.workflow_client import TemporalWorkflows
from domain.errors import ErrorCode, PaymentError
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, workflow_id
from domain.payment import PaymentStatus
from tests.support.builders import a_payment
from tests.support.fakes.world import REFUNDED, Fault, refusal
from tests.support.invariants import assert_everybody_agrees
from tests.workflow.conftest import Desk

VERIFICATION = ["fetch_order", "fetch_reservation", "record_pending"]


def cancel(desk: Desk) -> Fault:
    """Request the cancellation of the workflow whose activity is running, from inside of it."""

    async def request() -> None:
        running = activity.info().workflow_id
        assert running is not None
        await desk.client.get_workflow_handle(running).cancel()

    return request


@pytest.mark.parametrize("operation", VERIFICATION)
async def test_before_the_charge_nothing_is_charged(desk: Desk, operation: str) -> None:
    async def fail_locally_then_cancel() -> None:
        await (desk.world.down(operation) if activity.info().is_local else cancel(desk))()

    desk.world.before[operation] = fail_locally_then_cancel

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert "charge" not in desk.world.calls
    assert desk.world.topics == [TOPIC_FAILED]
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", VERIFICATION)
async def test_within_the_first_task_nothing_is_kept(desk: Desk, operation: str) -> None:
    desk.world.before[operation] = cancel(desk)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert desk.world.net_minor_units == 0
    assert desk.world.topics == [TOPIC_FAILED]
    assert_everybody_agrees(desk.world, payment)


async def test_during_the_charge_it_is_refunded(desk: Desk) -> None:
    desk.world.before["charge"] = cancel(desk)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert desk.world.calls[-4:] == REFUNDED
    assert_everybody_agrees(desk.world, payment)


async def test_while_the_outcome_is_unknown_it_is_found_out_first(desk: Desk) -> None:
    desk.world.after["charge"] = desk.world.times(1, desk.world.down("charge"))
    desk.world.before["find_charge"] = cancel(desk)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert len(desk.world.captures) == len(desk.world.refunds) == 1
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", ["record_succeeded", TOPIC_SUCCEEDED])
async def test_after_the_pivot_it_comes_too_late(desk: Desk, operation: str) -> None:
    desk.world.before[operation] = cancel(desk)

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", ["void_charge", "refund", "record_failed", TOPIC_FAILED])
async def test_during_the_compensation_it_is_completed(desk: Desk, operation: str) -> None:
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    desk.world.before[operation] = cancel(desk)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert desk.world.calls[-4:] == REFUNDED
    assert_everybody_agrees(desk.world, payment)


async def test_between_two_rounds_of_a_refund_it_goes_on(desk: Desk) -> None:
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    desk.world.before["refund"] = desk.world.times(2, refusal(ErrorCode.REFUND_REFUSED))
    desk.world.before["void_charge"] = cancel(desk)

    payment = await desk.pay()

    assert desk.world.calls.count("refund") == 3
    assert_everybody_agrees(desk.world, payment)


async def test_before_the_first_step(idle_desk: Desk) -> None:
    instruction = idle_desk.an_instruction()
    handle = await idle_desk.start(instruction)
    await idle_desk.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()

    async with idle_desk.worker():
        payment = await handle.result()

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert "charge" not in idle_desk.world.calls
    assert_everybody_agrees(idle_desk.world, payment)


async def test_another_payment_of_the_order_is_not_cancelled(desk: Desk) -> None:
    instruction = desk.an_instruction()
    sagas = TemporalWorkflows(desk.client, wait=timedelta(seconds=1))
    earlier = a_payment(order_id=instruction.order_id)
    refusals = []

    async def cancel_the_earlier_one() -> None:
        with pytest.raises(PaymentError) as refusal:
            await sagas.cancel(earlier)
        refusals.append(refusal.value.code)

    desk.world.before["charge"] = cancel_the_earlier_one

    payment = await desk.pay(instruction)

    assert refusals == [ErrorCode.SERVICE_UNAVAILABLE]
    assert payment.status is PaymentStatus.SUCCEEDED
