"""Payments whose workflow was lost are taken up again, and nothing of the lost run remains."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from api.workflow_client import TemporalWorkflows
from audit.invariants import violations
from domain.errors import ErrorCode
from domain.names import TOPIC_SUCCEEDED, workflow_id
from domain.payment import Payment, PaymentInstruction, PaymentStatus
from domain.refund import Refund
from tests.support.builders import UNKNOWN_MONEY, a_payment, an_instruction, an_order
from tests.support.fakes import ports_of
from tests.support.invariants import assert_everybody_agrees, books_of
from tests.support.loss import an_old_instruction, ending, lose_at, reconcile
from tests.support.rounds import DyingPayments, RunningWorkflows
from tests.support.time_skipping import time_skipping
from tests.workflow.conftest import Desk, attention_flags
from workflows.payment import PaymentWorkflow
from workflows.reconciliation import CHECKED_AFTER
from workflows.refund import RefundWorkflow
from workflows.start import start_refund
from workflows.worker import build_worker, payment_activities


@pytest.fixture
async def temporal() -> AsyncIterator[Client]:
    """A server of one's own: after a termination during an activity it never skips time again."""
    async with time_skipping() as client:
        yield client


async def a_payment_that_lost_its_workflow(desk: Desk) -> PaymentInstruction:
    """Terminated after the capture, before the success was recorded."""
    instruction = an_old_instruction(desk)
    await lose_at(desk, instruction, "record_succeeded")
    return instruction


async def test_terminated_payment_is_completed(desk: Desk) -> None:
    instruction = await a_payment_that_lost_its_workflow(desk)

    assert await reconcile(desk) == 1

    payment = await ending(desk, instruction)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.id == instruction.payment_id
    assert desk.world.topics == [TOPIC_SUCCEEDED]
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("captured", [True, False])
async def test_payment_that_another_version_recorded_is_taken_up(
    desk: Desk, captured: bool
) -> None:
    odd = {"amount": UNKNOWN_MONEY, "payment_method": "bnpl"}
    asked_at = desk.opened_at - 2 * CHECKED_AFTER
    instruction = an_instruction(requested_at=asked_at, **odd)
    desk.world.orders[instruction.order_id] = an_order(instruction)
    desk.world.payments[instruction.payment_id] = Payment.pending(instruction)
    if captured:
        desk.world.lose_after_capture(instruction)

    await reconcile(desk)

    payment = await ending(desk, instruction)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert (payment.amount, payment.payment_method) == (UNKNOWN_MONEY, "bnpl")
    assert [each.amount for each in desk.world.captures] == [UNKNOWN_MONEY]
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("captured", [True, False])
async def test_payment_of_another_day_is_not_charged(desk: Desk, captured: bool) -> None:
    yesterday = desk.opened_at - timedelta(hours=24)
    instruction = desk.an_instruction().model_copy(update={"requested_at": yesterday})
    desk.world.payments[instruction.payment_id] = Payment.pending(instruction)
    desk.world.forgotten_keys.add(instruction.charge_request.key)
    if captured:
        desk.world.lose_after_capture(instruction)

    await reconcile(desk)

    payment = await ending(desk, instruction)
    workflow = desk.client.get_workflow_handle(workflow_id(instruction.order_id))
    flags = attention_flags(await workflow.fetch_history())
    assert flags == ([] if captured else [True, False])
    assert payment.error_code == (None if captured else ErrorCode.PROCESSOR_TIMEOUT)
    assert len(desk.world.captures) == captured
    assert_everybody_agrees(desk.world, payment)


async def test_terminated_payment_whose_order_is_gone_is_refunded(desk: Desk) -> None:
    instruction = await a_payment_that_lost_its_workflow(desk)
    desk.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    await reconcile(desk)

    payment = await ending(desk, instruction)
    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert len(desk.world.captures) == len(desk.world.refunds) == 1
    assert_everybody_agrees(desk.world, payment)


async def test_resumed_payment_waits_for_the_database(desk: Desk) -> None:
    world, asked_at = desk.world, desk.opened_at - 2 * CHECKED_AFTER
    instruction = desk.an_instruction().model_copy(update={"requested_at": asked_at})
    world.lose_after_capture(instruction)
    world.before["record_pending"] = world.down_for("record_pending", timedelta(hours=1))

    await reconcile(desk)

    payment = await ending(desk, instruction)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(world, payment)


async def test_running_payments_are_left_alone(desk: Desk) -> None:
    asked_at = desk.opened_at - 2 * CHECKED_AFTER
    instruction = desk.an_instruction().model_copy(update={"requested_at": asked_at})
    charging, reconciled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        charging.set()
        await reconciled.wait()

    desk.world.before["charge"] = wait
    handle = await desk.start(instruction)
    await charging.wait()

    assert await reconcile(desk) == 0

    reconciled.set()
    assert_everybody_agrees(desk.world, await handle.result())


async def test_young_payments_are_left_alone(desk: Desk) -> None:
    young = desk.an_instruction().model_copy(
        update={"requested_at": desk.opened_at - CHECKED_AFTER / 2}
    )
    desk.world.payments[young.payment_id] = Payment.pending(young)

    assert await reconcile(desk) == 0


async def test_callers_of_a_lost_workflow_are_told_no_ending(desk: Desk) -> None:
    instruction = await a_payment_that_lost_its_workflow(desk)
    lost: WorkflowHandle[PaymentWorkflow, Payment] = desk.client.get_workflow_handle_for(
        PaymentWorkflow.run, workflow_id(instruction.order_id)
    )

    workflows = TemporalWorkflows(desk.client, wait=timedelta(seconds=5))

    assert await workflows._running(instruction.payment_id, lost).wait_for_end() is None


async def test_a_round_that_fails_ends_and_the_next_one_heals(desk: Desk) -> None:
    instruction = an_old_instruction(desk)
    desk.world.lose_after_capture(instruction)
    desk.world.before["unfinished_before"] = desk.world.down("unfinished_before")

    with pytest.raises(WorkflowFailureError) as failed:
        await reconcile(desk)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorCode.DATABASE_UNAVAILABLE
    assert desk.world.completed_rounds == 0

    desk.world.before.clear()
    assert await reconcile(desk) == 1
    assert (await ending(desk, instruction)).status is PaymentStatus.SUCCEEDED
    assert desk.world.completed_rounds == 1


async def test_a_round_outlives_an_outage_of_minutes(desk: Desk) -> None:
    instruction = an_old_instruction(desk)
    desk.world.lose_after_capture(instruction)
    outage = desk.world.down_for("unfinished_before", timedelta(minutes=5))
    desk.world.before["unfinished_before"] = outage

    assert await reconcile(desk) == 1

    assert (await ending(desk, instruction)).status is PaymentStatus.SUCCEEDED


async def test_a_round_goes_on_where_a_try_of_it_has_died(idle_desk: Desk) -> None:
    world = idle_desk.world
    for number in range(10):
        created_at = idle_desk.opened_at - timedelta(hours=1) + timedelta(seconds=number)
        payment = a_payment(created_at=created_at).succeeded(created_at)
        world.payments[payment.id] = payment

    ports = ports_of(world, RunningWorkflows(world))._replace(payments=DyingPayments(world))
    async with build_worker(idle_desk.client, payment_activities(ports)):
        await reconcile(idle_desk)

    assert world.resumed == list(world.payments.values())
    assert world.calls.count("unfinished_before") == 1


async def test_refund_that_lost_its_workflow_is_taken_up(desk: Desk) -> None:
    payment = await desk.pay(desk.an_instruction())
    refund = Refund.pending(payment, payment.amount, "key", desk.opened_at - 2 * CHECKED_AFTER)
    handle = await start_refund(desk.client, refund, WorkflowIDConflictPolicy.FAIL)
    desk.world.after["refund"] = handle.terminate
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    desk.world.after.clear()

    assert await reconcile(desk) == 1

    again: WorkflowHandle[RefundWorkflow, Refund] = desk.client.get_workflow_handle_for(
        RefundWorkflow.run, handle.id
    )
    await again.result()
    assert len(desk.world.refunds) == 1
    assert await reconcile(desk) == 0
    assert violations(books_of(desk.world, refund.order_id)) == []
