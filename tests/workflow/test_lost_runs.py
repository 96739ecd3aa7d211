"""A run after a lost one looks first: it publishes no refunded payment, and nothing twice."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from api.workflow_client import TemporalWorkflows
from domain.claim import Claim
from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, workflow_id
from domain.payment import Announcement, Payment, PaymentStatus
from domain.refund import Refund
from tests.support.builders import DECLINED, a_payment, an_order
from tests.support.fakes.gateway import FakeGateway
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.world import refusal
from tests.support.invariants import assert_books_agree
from tests.support.loss import an_old_instruction, ending, lose_at, reconcile, resumed
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server

temporal = own_server


def event_is_refused(harness: SagaHarness, _: PaymentInstruction) -> None:
    harness.world.before[TOPIC_SUCCEEDED] = refusal(ErrorCode.EVENT_REFUSED)


def success_is_refused(harness: SagaHarness, _: PaymentInstruction) -> None:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)


def payment_is_cancelled(harness: SagaHarness, instruction: PaymentInstruction) -> None:
    async def cancel() -> None:
        handle = harness.client.get_workflow_handle(workflow_id(instruction.order_id))
        await handle.cancel()

    harness.world.before["charge"] = cancel


UNDONE = [event_is_refused, success_is_refused, payment_is_cancelled]


@pytest.mark.parametrize("undo", UNDONE)
@pytest.mark.parametrize("lost_at", ["record_failed", "refund", "record_compensation"])
async def test_an_undone_payment_never_becomes_a_success(
    harness: SagaHarness, undo: Callable[[SagaHarness, PaymentInstruction], None], lost_at: str
) -> None:
    instruction = an_old_instruction(harness)
    undo(harness, instruction)
    await lose_at(harness, instruction, lost_at)

    payment = await resumed(harness, instruction)

    was_recorded = lost_at != "record_compensation"
    assert (payment.status is PaymentStatus.FAILED) == was_recorded
    assert harness.world.topics == [TOPIC_FAILED if was_recorded else TOPIC_SUCCEEDED]
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("undo", UNDONE)
async def test_another_request_makes_no_success_of_an_undone_payment(
    harness: SagaHarness, undo: Callable[[SagaHarness, PaymentInstruction], None]
) -> None:
    instruction = an_old_instruction(harness)
    undo(harness, instruction)
    await lose_at(harness, instruction, "record_failed")

    another = await harness.pay(instruction.model_copy(update={"payment_id": uuid4()}))

    assert another.status is PaymentStatus.FAILED
    assert await reconcile(harness) in {0, 1}
    await ending(harness, instruction)
    assert TOPIC_SUCCEEDED not in harness.world.topics
    assert harness.world.net_minor_units == 0


async def test_a_refund_that_no_compensation_was_recorded_for_is_seen(harness: SagaHarness) -> None:
    """Version 0.1.0 recorded no compensation before it refunded."""
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    request = Refund.pending(
        a_payment(id=instruction.payment_id).succeeded(harness.started_at).announced(),
        instruction.amount,
        "key",
        harness.started_at,
    ).request
    await FakeGateway(harness.world).refund(request)

    payment = await resumed(harness, instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_ERROR
    assert harness.world.topics == [TOPIC_FAILED]
    assert harness.world.net_minor_units == 0


async def test_a_claim_that_an_old_worker_has_answered_may_not_be_new(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 0.1.0 does not say whether the payment was recorded before."""
    claim = FakePayments.record_pending

    async def record_pending(
        self: FakePayments, payment: Payment, run_id: str | None = None
    ) -> Claim:
        return Claim(**dict((await claim(self, payment, run_id)).payment))

    monkeypatch.setattr(FakePayments, "record_pending", record_pending)
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    payment = await resumed(harness, instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert harness.world.net_minor_units == 0
    assert_books_agree(harness.world, payment)


async def test_a_charge_that_stands_is_published_and_never_undone(harness: SagaHarness) -> None:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    harness.world.before[TOPIC_SUCCEEDED] = harness.world.times(2, refusal(ErrorCode.EVENT_REFUSED))

    payment = await resumed(harness, instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert {"charge", "refund", "void_charge"}.isdisjoint(harness.world.calls)
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("announcement", [Announcement.BEGUN, Announcement.MADE])
async def test_a_success_that_is_being_published_makes_no_other_call(
    harness: SagaHarness, announcement: Announcement
) -> None:
    instruction = an_old_instruction(harness)
    success = Payment.pending(instruction).succeeded(harness.started_at).announced(announcement)
    harness.world.payments[success.id] = success

    another = instruction.model_copy(update={"payment_id": uuid4()})
    payment = await harness.pay(another)

    assert payment == success.announced()
    assert {"find_charge", "void_charge", "charge", "refund"}.isdisjoint(harness.world.calls)


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN])
async def test_a_run_that_carries_another_payment_is_known_as_its_run(
    harness: SagaHarness, announcement: Announcement
) -> None:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    success = harness.world.payments[instruction.payment_id].announced(announcement)
    harness.world.payments[success.id] = success
    asked_again = instruction.model_copy(update={"payment_id": uuid4(), "customer_id": uuid4()})
    publishing, known = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        publishing.set()
        await known.wait()

    harness.world.before[TOPIC_SUCCEEDED] = wait
    handle = await harness.start(asked_again)
    await publishing.wait()

    sagas = TemporalWorkflows(harness.client, timedelta(seconds=1))
    joined = await sagas.start_or_join(instruction)
    await sagas.cancel(success)

    known.set()
    assert joined.payment_id == success.id
    assert await handle.result() == success.announced()


async def test_the_same_input_started_again_looks_before_it_charges(harness: SagaHarness) -> None:
    instruction = an_old_instruction(harness)
    await lose_at(harness, instruction, "record_succeeded")

    payment = await harness.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert "charge" not in harness.world.calls
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", ["fetch_order", "fetch_reservation"])
async def test_a_capture_waits_for_ordering_and_inventory(
    harness: SagaHarness, operation: str
) -> None:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    harness.world.before[operation] = harness.world.times(60, harness.world.down(operation))

    payment = await resumed(harness, instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


async def test_a_failure_whose_order_is_paid_meanwhile_is_not_published(
    harness: SagaHarness,
) -> None:
    first = an_old_instruction(harness)
    await lose_at(harness, first, "record_pending")
    failed = Payment.pending(first).failed(DECLINED, harness.started_at, Announcement.DUE)
    paid = a_payment(order_id=first.order_id).succeeded(harness.started_at).announced()
    harness.world.payments |= {failed.id: failed, paid.id: paid}

    assert await resumed(harness, first) == paid

    assert harness.world.payments[failed.id].announcement is Announcement.NONE
    assert harness.world.topics == []
    assert await reconcile(harness) == 0


async def test_while_another_payment_is_pending_a_failure_is_left_alone(
    harness: SagaHarness,
) -> None:
    first = an_old_instruction(harness)
    failed = Payment.pending(first).failed(DECLINED, harness.started_at, Announcement.BEGUN)
    young = a_payment(order_id=first.order_id, created_at=harness.started_at)
    harness.world.payments |= {failed.id: failed, young.id: young}

    assert await resumed(harness, first) == failed

    assert harness.world.payments[failed.id] == failed
    assert harness.world.events == []
    assert "refund" not in harness.world.calls


async def test_the_pending_payment_of_an_order_comes_first(harness: SagaHarness) -> None:
    """Both have lost their workflow. The older one would use the order's workflow id."""
    first = an_old_instruction(harness)
    failed = Payment.pending(first).failed(DECLINED, harness.started_at, Announcement.BEGUN)
    second = first.model_copy(update={"payment_id": uuid4()})
    await lose_at(harness, second, "record_succeeded")
    harness.world.payments[failed.id] = failed

    assert (await resumed(harness, first)).id == second.payment_id

    assert harness.world.topics == [TOPIC_SUCCEEDED]
    assert (await resumed(harness, first)).id == second.payment_id
    assert harness.world.payments[failed.id].announcement is Announcement.NONE
    assert await reconcile(harness) == 0


async def test_an_undone_payment_is_published_only_if_its_order_is_pending(
    harness: SagaHarness,
) -> None:
    instruction = an_old_instruction(harness)
    success_is_refused(harness, instruction)
    await lose_at(harness, instruction, "record_failed")
    harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    payment = await resumed(harness, instruction)

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert payment.announcement is Announcement.NONE
    assert harness.world.events == []


async def test_a_failure_that_says_that_there_is_no_order_is_not_published(
    harness: SagaHarness,
) -> None:
    """Ordering answers 404 once. The next run sees that the order is pending."""
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    missing = PaymentError(ErrorCode.ORDER_NOT_FOUND, "There is no such order.")
    pending = harness.world.payments[instruction.payment_id]
    harness.world.payments[pending.id] = pending.compensating(missing)

    payment = await resumed(harness, instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_FOUND
    assert harness.world.events == []
    assert harness.world.net_minor_units == 0
    assert_books_agree(harness.world, payment)
