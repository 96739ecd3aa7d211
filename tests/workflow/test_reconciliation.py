"""Payments whose workflow was lost are resumed, and nothing of the lost run remains."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from api.workflow_client import TemporalWorkflows
from audit.invariants import violations
from domain.errors import ErrorCode
from domain.instruction import PaymentInstruction
from domain.names import TOPIC_SUCCEEDED, refund_workflow_id, workflow_id
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from tests.support.builders import UNKNOWN_MONEY, a_payment, an_instruction, an_order
from tests.support.fakes.ports import ports_of
from tests.support.invariants import assert_books_agree, books_of
from tests.support.loss import an_old_instruction, ending, lose_at, reconcile
from tests.support.rounds import FailingPayments, RunningWorkflows
from tests.support.saga_harness import SagaHarness, attention_flags
from tests.support.time_skipping import own_server
from workflows.payment import PaymentWorkflow
from workflows.reconciliation import CHECKED_AFTER
from workflows.refund import RefundWorkflow
from workflows.start import start_refund
from workflows.worker import build_worker, payment_activities

temporal = own_server


async def a_payment_that_lost_its_workflow(harness: SagaHarness) -> PaymentInstruction:
    """Its workflow is terminated after the capture, before the success is recorded."""
    instruction = an_old_instruction(harness)
    await lose_at(harness, instruction, "record_succeeded")
    return instruction


async def test_terminated_payment_is_completed(harness: SagaHarness) -> None:
    instruction = await a_payment_that_lost_its_workflow(harness)

    assert await reconcile(harness) == 1

    payment = await ending(harness, instruction)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.id == instruction.payment_id
    assert harness.world.topics == [TOPIC_SUCCEEDED]
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("captured", [True, False])
async def test_a_payment_that_another_version_recorded_is_resumed(
    harness: SagaHarness, captured: bool
) -> None:
    odd = {"amount": UNKNOWN_MONEY, "payment_method": "bnpl"}
    asked_at = harness.started_at - 2 * CHECKED_AFTER
    instruction = an_instruction(requested_at=asked_at, **odd)
    harness.world.orders[instruction.order_id] = an_order(instruction)
    harness.world.payments[instruction.payment_id] = Payment.pending(instruction)
    if captured:
        harness.world.lose_after_capture(instruction)

    await reconcile(harness)

    payment = await ending(harness, instruction)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert (payment.amount, payment.payment_method) == (UNKNOWN_MONEY, "bnpl")
    assert [each.amount for each in harness.world.captures] == [UNKNOWN_MONEY]
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("captured", [True, False])
async def test_payment_of_another_day_is_not_charged(harness: SagaHarness, captured: bool) -> None:
    yesterday = harness.started_at - timedelta(hours=24)
    instruction = harness.an_instruction().model_copy(update={"requested_at": yesterday})
    harness.world.payments[instruction.payment_id] = Payment.pending(instruction)
    harness.world.forgotten_keys.add(instruction.charge_request.key)
    if captured:
        harness.world.lose_after_capture(instruction)

    await reconcile(harness)

    payment = await ending(harness, instruction)
    workflow = harness.client.get_workflow_handle(workflow_id(instruction.order_id))
    flags = attention_flags(await workflow.fetch_history())
    assert flags == ([] if captured else [True, False])
    assert payment.error_code == (None if captured else ErrorCode.PROCESSOR_TIMEOUT)
    assert len(harness.world.captures) == captured
    assert_books_agree(harness.world, payment)


async def test_terminated_payment_whose_order_is_gone_is_refunded(harness: SagaHarness) -> None:
    instruction = await a_payment_that_lost_its_workflow(harness)
    harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    await reconcile(harness)

    payment = await ending(harness, instruction)
    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert len(harness.world.captures) == len(harness.world.refunds) == 1
    assert_books_agree(harness.world, payment)


async def test_resumed_payment_waits_for_the_database(harness: SagaHarness) -> None:
    world, asked_at = harness.world, harness.started_at - 2 * CHECKED_AFTER
    instruction = harness.an_instruction().model_copy(update={"requested_at": asked_at})
    world.lose_after_capture(instruction)
    world.before["record_pending"] = world.down_for("record_pending", timedelta(hours=1))

    await reconcile(harness)

    payment = await ending(harness, instruction)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(world, payment)


async def test_running_payments_are_left_alone(harness: SagaHarness) -> None:
    asked_at = harness.started_at - 2 * CHECKED_AFTER
    instruction = harness.an_instruction().model_copy(update={"requested_at": asked_at})
    charging, reconciled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        charging.set()
        await reconciled.wait()

    harness.world.before["charge"] = wait
    handle = await harness.start(instruction)
    await charging.wait()

    assert await reconcile(harness) == 0

    reconciled.set()
    assert_books_agree(harness.world, await handle.result())


async def test_young_payments_are_left_alone(harness: SagaHarness) -> None:
    young = harness.an_instruction().model_copy(
        update={"requested_at": harness.started_at - CHECKED_AFTER / 2}
    )
    harness.world.payments[young.payment_id] = Payment.pending(young)

    assert await reconcile(harness) == 0


async def test_callers_of_a_lost_workflow_get_no_ending(harness: SagaHarness) -> None:
    instruction = await a_payment_that_lost_its_workflow(harness)
    lost: WorkflowHandle[PaymentWorkflow, Payment] = harness.client.get_workflow_handle_for(
        PaymentWorkflow.run, workflow_id(instruction.order_id)
    )

    workflows = TemporalWorkflows(harness.client, wait=timedelta(seconds=5))

    assert await workflows._running(instruction.payment_id, lost).wait_for_end() is None


async def test_a_round_that_fails_ends_and_the_next_one_heals(harness: SagaHarness) -> None:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    harness.world.before["unfinished_before"] = harness.world.down("unfinished_before")

    with pytest.raises(WorkflowFailureError) as failed:
        await reconcile(harness)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorCode.DATABASE_UNAVAILABLE
    assert harness.world.completed_rounds == 0

    harness.world.before.clear()
    assert await reconcile(harness) == 1
    assert (await ending(harness, instruction)).status is PaymentStatus.SUCCEEDED
    assert harness.world.completed_rounds == 1


async def test_a_round_outlives_an_outage_of_minutes(harness: SagaHarness) -> None:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    outage = harness.world.down_for("unfinished_before", timedelta(minutes=5))
    harness.world.before["unfinished_before"] = outage

    assert await reconcile(harness) == 1

    assert (await ending(harness, instruction)).status is PaymentStatus.SUCCEEDED


async def test_a_round_continues_where_a_try_of_it_was_lost(idle_harness: SagaHarness) -> None:
    world = idle_harness.world
    for number in range(10):
        created_at = idle_harness.started_at - timedelta(hours=1) + timedelta(seconds=number)
        payment = a_payment(created_at=created_at).succeeded(created_at)
        world.payments[payment.id] = payment

    ports = ports_of(world, RunningWorkflows(world))._replace(payments=FailingPayments(world))
    async with build_worker(idle_harness.client, payment_activities(ports)):
        await reconcile(idle_harness)

    assert world.resumed == list(world.payments.values())
    assert world.calls.count("unfinished_before") == 1


async def test_a_refund_that_lost_its_workflow_is_resumed(harness: SagaHarness) -> None:
    payment = await harness.pay(harness.an_instruction())
    refund = Refund.pending(payment, payment.amount, "key", harness.started_at - 2 * CHECKED_AFTER)
    running = harness.client.get_workflow_handle(refund_workflow_id(refund.id))
    harness.world.after["refund"] = running.terminate
    handle = await start_refund(harness.client, refund, WorkflowIDConflictPolicy.FAIL)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    harness.world.after.clear()

    assert await reconcile(harness) == 1

    again: WorkflowHandle[RefundWorkflow, Refund] = harness.client.get_workflow_handle_for(
        RefundWorkflow.run, handle.id
    )
    await again.result()
    assert len(harness.world.refunds) == 1
    assert await reconcile(harness) == 0
    assert violations(books_of(harness.world, refund.order_id)) == []
