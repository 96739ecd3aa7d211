"""A step that fails after the charge, or recovers after hours, is repeated or compensated."""

from datetime import timedelta

import pytest

from domain.errors import ErrorCode, FailureReason
from domain.gateway import ChargeState
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, charge_key, refund_key
from domain.payment import PaymentStatus
from tests.support.builders import HOUR, a_reservation
from tests.support.fakes.world import REFUNDED, World, refusal
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import FORWARD, SagaHarness, attention_flags


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("record_succeeded", ErrorCode.RECORD_REFUSED),
        (TOPIC_SUCCEEDED, ErrorCode.EVENT_REFUSED),
    ],
)
async def test_step_refused_after_the_charge_is_refunded(
    harness: SagaHarness, operation: str, code: ErrorCode
) -> None:
    harness.world.before[operation] = refusal(code)

    payment = await harness.pay()

    assert payment.error_code is code
    assert harness.world.calls[-4:] == REFUNDED
    assert_books_agree(harness.world, payment)


async def test_success_that_cannot_be_recorded_for_an_hour_is_refunded(
    harness: SagaHarness,
) -> None:
    harness.world.before["record_succeeded"] = harness.world.down_for("record_succeeded", HOUR)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.DATABASE_UNAVAILABLE
    undone = harness.world.calls[harness.world.calls.index("record_compensation") :]
    look = ["fetch_order", "fetch_reservation"]
    assert undone == ["record_compensation", "void_charge", REFUNDED[0], *look, *REFUNDED[1:]]
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", FORWARD)
async def test_step_that_recovers_is_repeated_until_it_does(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.before[operation] = harness.world.times(3, harness.world.down(operation))

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    begun = operation == "record_announcement"  # a later try records first that it begins
    assert harness.world.calls.count(operation) == 4 + begun
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize(
    "operation", ["record_pending", "charge", "record_succeeded", TOPIC_SUCCEEDED]
)
async def test_a_lost_response_has_no_second_effect(harness: SagaHarness, operation: str) -> None:
    harness.world.after[operation] = harness.world.times(1, harness.world.down(operation))

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


async def test_the_second_try_of_a_charge_looks_it_up_first(harness: SagaHarness) -> None:
    harness.world.after["charge"] = harness.world.times(1, harness.world.down("charge"))

    await harness.pay()

    assert harness.world.calls.count("charge") == 1
    assert "find_charge" in harness.world.calls


async def test_gateway_dark_for_hours_charges_nothing(harness: SagaHarness) -> None:
    for operation in ("charge", "find_charge", "void_charge"):
        harness.world.before[operation] = harness.world.down_for(operation, 6 * HOUR)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.failure_reason is FailureReason.TIMEOUT
    assert harness.world.captures == []
    assert harness.world.topics == [TOPIC_FAILED]
    assert_books_agree(harness.world, payment)


async def test_a_capture_whose_response_is_lost_for_hours_is_kept(harness: SagaHarness) -> None:
    make_gateway_capture_and_go_dark(harness.world, 6 * HOUR)

    payment = await harness.pay(harness.an_instruction(reserved=False))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


async def test_charge_is_tried_no_longer_than_its_reservation_holds(harness: SagaHarness) -> None:
    for operation in ("charge", "find_charge"):
        harness.world.before[operation] = harness.world.down(operation)
    instruction = harness.an_instruction()
    soon = harness.started_at + timedelta(minutes=1)
    held = a_reservation(instruction, expires_at=soon)
    harness.world.reservations[held.id] = held

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.processed_at is not None
    assert payment.processed_at < soon + timedelta(minutes=1)


async def test_capture_that_outlives_its_reservation_is_refunded(harness: SagaHarness) -> None:
    make_gateway_capture_and_go_dark(harness.world, 6 * HOUR)
    instruction = harness.an_instruction()
    soon = harness.started_at + timedelta(minutes=10)
    held = a_reservation(instruction, expires_at=soon)
    harness.world.reservations[held.id] = held

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert len(harness.world.captures) == 1
    assert_books_agree(harness.world, payment)


def make_gateway_capture_and_go_dark(world: World, outage: timedelta) -> None:
    world.after["charge"] = world.down_for("charge", outage)
    for operation in ("find_charge", "void_charge"):
        world.before[operation] = world.down_for(operation, outage)


async def test_charge_refused_by_the_gateway_is_resolved_first(harness: SagaHarness) -> None:
    harness.world.before["charge"] = refusal(ErrorCode.PROCESSOR_ERROR)
    instruction = harness.an_instruction()

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_ERROR
    charge = harness.world.charges[charge_key(instruction.payment_id)]
    assert charge.state is ChargeState.VOIDED
    assert_books_agree(harness.world, payment)


async def test_event_follows_when_kafka_is_back(harness: SagaHarness) -> None:
    harness.world.before[TOPIC_SUCCEEDED] = harness.world.down_for(TOPIC_SUCCEEDED, 6 * HOUR)

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", ["refund", "void_charge", "record_failed", TOPIC_FAILED])
async def test_compensation_goes_on_for_hours(harness: SagaHarness, operation: str) -> None:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    harness.world.before[operation] = harness.world.down_for(operation, 6 * HOUR)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", ["refund", "void_charge", "record_failed", TOPIC_FAILED])
async def test_a_compensation_whose_response_is_lost_has_one_effect(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    harness.world.after[operation] = harness.world.times(1, harness.world.down(operation))

    payment = await harness.pay()

    assert len(harness.world.refunds) == 1
    assert_books_agree(harness.world, payment)


async def test_refund_refused_for_good_is_tried_until_it_is_accepted(harness: SagaHarness) -> None:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    harness.world.before["refund"] = harness.world.times(5, refusal(ErrorCode.REFUND_REFUSED))
    handle = await harness.start(harness.an_instruction())

    payment = await handle.result()

    assert harness.world.calls.count("refund") == 6
    assert attention_flags(await handle.fetch_history()) == [True, False]
    assert {request.key for request in harness.world.refunds} == {refund_key(payment.id)}
    assert_books_agree(harness.world, payment)
