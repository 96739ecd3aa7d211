"""Activities of a terminated run that write to the database while the next run is running."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState
from domain.instruction import PaymentInstruction
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from domain.payment import Announcement, Payment, PaymentStatus
from tests.support.builders import DECLINED, a_reservation, an_order
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.world import Fault, World, refusal
from tests.support.invariants import assert_books_agree
from tests.support.loss import an_old_instruction, lose_at, resumed
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server

temporal = own_server


@pytest.mark.parametrize("operation", ["record_succeeded", "record_failed"])
async def test_what_an_activity_of_a_lost_run_has_recorded_late_is_published(
    harness: SagaHarness, operation: str
) -> None:
    """Its write arrives at PostgreSQL after the run was lost and before the next run."""
    instruction = an_old_instruction(harness)
    if operation == "record_failed":
        harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    await lose_at(harness, instruction, operation)
    harness.world.before.clear()
    recorded: list[Payment] = []

    async def arrive() -> None:
        pending = harness.world.payments[instruction.payment_id]
        late = pending.succeeded(harness.started_at)
        if operation == "record_failed":
            late = pending.failed(DECLINED, harness.started_at, Announcement.DUE)
        recorded.append(late)
        harness.world.payments[late.id] = late
        harness.world.transitions[late.id].append(late.status)

    harness.world.before[operation] = harness.world.times(1, arrive)

    payment = await resumed(harness, instruction)

    assert payment == recorded[0].releasing(payment.released_reservation_id).announced()
    assert_books_agree(harness.world, payment)


async def test_a_capture_whose_payment_a_lost_run_has_failed_is_refunded(
    harness: SagaHarness,
) -> None:
    """The write of the failure arrives at PostgreSQL after the next run has charged."""
    instruction = an_old_instruction(harness)
    harness.world.before["fetch_reservation"] = refusal(ErrorCode.RESERVATION_NOT_ACTIVE)
    await lose_at(harness, instruction, "record_failed")

    async def arrive() -> None:
        pending = harness.world.payments[instruction.payment_id]
        late = pending.failed(DECLINED, harness.started_at, Announcement.DUE)
        harness.world.payments[late.id] = late
        harness.world.transitions[late.id].append(late.status)

    harness.world.after["charge"] = harness.world.times(1, arrive)

    payment = await resumed(harness, instruction)

    assert payment.status is PaymentStatus.FAILED
    assert len(harness.world.captures) == 1
    assert harness.world.net_minor_units == 0
    assert_books_agree(harness.world, payment)


def comes_late(harness: SagaHarness, operation: str, instruction: PaymentInstruction) -> Fault:
    """A fault: PostgreSQL executes, once, the late write of a terminated run."""
    store = FakePayments(harness.world)
    payment = Payment.pending(instruction)

    async def arrive() -> None:
        if operation == "record_failed":
            with suppress(PaymentError):
                await store.record_failed(
                    payment.failed(DECLINED, harness.started_at, Announcement.DUE)
                )
        else:
            await store.record_compensation(payment.compensating(DECLINED))

    return harness.world.times(1, arrive)


LATE = ["record_compensation", "record_failed"]


@pytest.mark.parametrize("operation", LATE)
@pytest.mark.parametrize(
    ("lose", "arrives_after"),
    [(World.lose_after_success, "find_charge"), (World.lose_after_capture, "record_succeeded")],
    ids=["success", "capture"],
)
async def test_what_a_lost_run_undoes_meanwhile_is_refunded_and_not_published(
    harness: SagaHarness,
    operation: str,
    lose: Callable[[World, PaymentInstruction], None],
    arrives_after: str,
) -> None:
    instruction = an_old_instruction(harness)
    lose(harness.world, instruction)
    harness.world.after[arrives_after] = comes_late(harness, operation, instruction)

    payment = await resumed(harness, instruction)

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert TOPIC_SUCCEEDED not in harness.world.topics
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", LATE)
@pytest.mark.parametrize("arrives_at", ["record_announcement", TOPIC_SUCCEEDED])
async def test_nothing_undoes_a_success_whose_event_has_begun(
    harness: SagaHarness, operation: str, arrives_at: str
) -> None:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    harness.world.after[arrives_at] = comes_late(harness, operation, instruction)

    payment = await resumed(harness, instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


async def test_a_claim_that_stays_unknown_keeps_no_capture_of_a_lost_run(
    harness: SagaHarness,
) -> None:
    """The same input is started again by hand while PostgreSQL is down."""
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    outage = harness.world.down_for("record_pending", timedelta(minutes=10))
    harness.world.before["record_pending"] = outage

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.DATABASE_UNAVAILABLE
    assert harness.world.topics == [TOPIC_FAILED]
    assert harness.world.net_minor_units == 0
    assert_books_agree(harness.world, payment)


async def test_a_key_without_a_row_waits_for_nobody(harness: SagaHarness) -> None:
    """The row is written before the charge, so no earlier run can have charged."""
    instruction = an_old_instruction(harness).model_copy(update={"resumed": True})
    harness.world.before["fetch_order"] = harness.world.down_for("fetch_order", timedelta(hours=2))

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.ORDERING_UNAVAILABLE
    assert {"find_charge", "charge", "void_charge"}.isdisjoint(harness.world.calls)
    assert harness.world.events == []


@pytest.mark.parametrize("is_recorded", [False, True])
async def test_a_claim_that_stays_unknown_closes_no_order_that_was_not_charged(
    harness: SagaHarness, is_recorded: bool
) -> None:
    """Without a row nothing was charged, so nothing is refunded: a later run may charge."""
    instruction = an_old_instruction(harness)
    if is_recorded:
        harness.world.payments[instruction.payment_id] = Payment.pending(instruction)
    outage = harness.world.down_for("record_pending", timedelta(minutes=10))
    harness.world.before["record_pending"] = outage

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.DATABASE_UNAVAILABLE
    assert harness.world.events == []
    assert ("void_charge" in harness.world.calls) is is_recorded
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", LATE)
async def test_a_payment_without_a_row_publishes_no_success_that_a_lost_run_undoes(
    harness: SagaHarness, operation: str
) -> None:
    """The database refused the claim of the terminated run, so there is no row."""
    instruction = an_old_instruction(harness).model_copy(update={"resumed": True})
    harness.world.after["record_succeeded"] = comes_late(harness, operation, instruction)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert TOPIC_SUCCEEDED not in harness.world.topics
    assert_books_agree(harness.world, payment)


async def test_a_payment_without_a_row_gives_nothing_back_where_it_gives_way(
    harness: SagaHarness,
) -> None:
    """A late refund could refund the charge of a later run."""
    instruction = an_old_instruction(harness).model_copy(update={"resumed": True})
    holder = Payment.pending(instruction.model_copy(update={"payment_id": uuid4()}))
    harness.world.payments[holder.id] = holder

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PAYMENT_IN_PROGRESS
    assert "void_charge" not in harness.world.calls
    assert harness.world.events == []


async def late_failure(harness: SagaHarness, instruction: PaymentInstruction) -> Payment:
    """A charge that was declined; the failure of the lost run arrives just before the next one's.

    Returns how the payment ends.
    """
    pending = Payment.pending(instruction)
    key = instruction.charge_request.key
    code = ErrorCode.CARD_DECLINED
    harness.world.payments[pending.id] = pending
    harness.world.charges[key] = Charge(key=key, state=ChargeState.DECLINED, error_code=code)
    failed = pending.failed(DECLINED, harness.started_at, Announcement.DUE, pending.reservation_id)

    async def arrive() -> None:
        await FakePayments(harness.world).record_failed(failed)

    harness.world.before["record_failed"] = harness.world.times(1, arrive)
    return await resumed(harness, instruction)


@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_a_late_failure_is_withdrawn_if_the_order_is_gone(
    harness: SagaHarness, state: str
) -> None:
    instruction = an_old_instruction(harness)
    harness.world.orders[instruction.order_id] = an_order(instruction, state=state)

    payment = await late_failure(harness, instruction)

    assert payment.announcement is Announcement.NONE
    assert harness.world.events == []
    assert_books_agree(harness.world, payment)


async def test_a_late_failure_frees_no_seats_that_were_sold(harness: SagaHarness) -> None:
    instruction = an_old_instruction(harness)
    sold = a_reservation(instruction, status="confirmed")
    harness.world.reservations[sold.id] = sold

    payment = await late_failure(harness, instruction)

    assert harness.world.topics == [TOPIC_FAILED]
    assert "reservationId" not in harness.world.events[0].value
    assert_books_agree(harness.world, payment)
