"""A step that fails after the charge, or recovers after hours, is repeated or compensated."""

from datetime import timedelta

import pytest

from domain.errors import ErrorCode, FailureReason
from domain.gateway import ChargeState
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED, charge_key, refund_key
from domain.payment import PaymentStatus
from tests.support.builders import a_reservation
from tests.support.fakes.world import REFUNDED, World, refusal
from tests.support.invariants import assert_everybody_agrees
from tests.workflow.conftest import FORWARD, Desk, attention_flags

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("record_succeeded", ErrorCode.RECORD_REFUSED),
        (TOPIC_SUCCEEDED, ErrorCode.EVENT_REFUSED),
    ],
)
async def test_step_refused_after_the_charge_is_refunded(
    desk: Desk, operation: str, code: ErrorCode
) -> None:
    desk.world.before[operation] = refusal(code)

    payment = await desk.pay()

    assert payment.error_code is code
    assert desk.world.calls[-4:] == REFUNDED
    assert_everybody_agrees(desk.world, payment)


async def test_success_that_cannot_be_recorded_for_an_hour_is_refunded(desk: Desk) -> None:
    desk.world.before["record_succeeded"] = desk.world.down_for("record_succeeded", HOUR)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.DATABASE_UNAVAILABLE
    undone = desk.world.calls[desk.world.calls.index("record_compensation") :]
    look = ["fetch_order", "fetch_reservation"]
    assert undone == ["record_compensation", "void_charge", REFUNDED[0], *look, *REFUNDED[1:]]
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", FORWARD)
async def test_step_that_recovers_is_repeated_until_it_does(desk: Desk, operation: str) -> None:
    desk.world.before[operation] = desk.world.times(3, desk.world.down(operation))

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert desk.world.calls.count(operation) == 4
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize(
    "operation", ["record_pending", "charge", "record_succeeded", TOPIC_SUCCEEDED]
)
async def test_lost_answer_is_no_second_effect(desk: Desk, operation: str) -> None:
    desk.world.after[operation] = desk.world.times(1, desk.world.down(operation))

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


async def test_second_try_of_a_charge_asks_before_it_charges(desk: Desk) -> None:
    desk.world.after["charge"] = desk.world.times(1, desk.world.down("charge"))

    await desk.pay()

    assert desk.world.calls.count("charge") == 1
    assert "find_charge" in desk.world.calls


async def test_gateway_dark_for_hours_charges_nothing(desk: Desk) -> None:
    for operation in ("charge", "find_charge", "void_charge"):
        desk.world.before[operation] = desk.world.down_for(operation, 6 * HOUR)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.failure_reason is FailureReason.TIMEOUT
    assert desk.world.captures == []
    assert desk.world.topics == [TOPIC_FAILED]
    assert_everybody_agrees(desk.world, payment)


async def test_capture_whose_answer_is_lost_for_hours_is_kept(desk: Desk) -> None:
    make_gateway_capture_and_go_dark(desk.world, 6 * HOUR)

    payment = await desk.pay(desk.an_instruction(reserved=False))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


async def test_charge_is_tried_no_longer_than_its_reservation_holds(desk: Desk) -> None:
    for operation in ("charge", "find_charge"):
        desk.world.before[operation] = desk.world.down(operation)
    instruction = desk.an_instruction()
    soon = desk.opened_at + timedelta(minutes=1)
    held = a_reservation(instruction, expires_at=soon)
    desk.world.reservations[held.id] = held

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.processed_at is not None
    assert payment.processed_at < soon + timedelta(minutes=1)


async def test_capture_that_outlives_its_reservation_is_refunded(desk: Desk) -> None:
    make_gateway_capture_and_go_dark(desk.world, 6 * HOUR)
    instruction = desk.an_instruction()
    soon = desk.opened_at + timedelta(minutes=10)
    held = a_reservation(instruction, expires_at=soon)
    desk.world.reservations[held.id] = held

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert len(desk.world.captures) == 1
    assert_everybody_agrees(desk.world, payment)


def make_gateway_capture_and_go_dark(world: World, outage: timedelta) -> None:
    world.after["charge"] = world.down_for("charge", outage)
    for operation in ("find_charge", "void_charge"):
        world.before[operation] = world.down_for(operation, outage)


async def test_charge_refused_by_the_gateway_is_resolved_first(desk: Desk) -> None:
    desk.world.before["charge"] = refusal(ErrorCode.PROCESSOR_ERROR)
    instruction = desk.an_instruction()

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_ERROR
    charge = desk.world.charges[charge_key(instruction.payment_id)]
    assert charge.state is ChargeState.VOIDED
    assert_everybody_agrees(desk.world, payment)


async def test_event_follows_when_kafka_is_back(desk: Desk) -> None:
    desk.world.before[TOPIC_SUCCEEDED] = desk.world.down_for(TOPIC_SUCCEEDED, 6 * HOUR)

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", ["refund", "void_charge", "record_failed", TOPIC_FAILED])
async def test_compensation_goes_on_for_hours(desk: Desk, operation: str) -> None:
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    desk.world.before[operation] = desk.world.down_for(operation, 6 * HOUR)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", ["refund", "void_charge", "record_failed", TOPIC_FAILED])
async def test_compensation_whose_answer_is_lost_has_one_effect(desk: Desk, operation: str) -> None:
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    desk.world.after[operation] = desk.world.times(1, desk.world.down(operation))

    payment = await desk.pay()

    assert len(desk.world.refunds) == 1
    assert_everybody_agrees(desk.world, payment)


async def test_refund_refused_for_good_is_tried_until_it_is_accepted(desk: Desk) -> None:
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    desk.world.before["refund"] = desk.world.times(5, refusal(ErrorCode.REFUND_REFUSED))
    handle = await desk.start(desk.an_instruction())

    payment = await handle.result()

    assert desk.world.calls.count("refund") == 6
    assert attention_flags(await handle.fetch_history()) == [True, False]
    assert {request.key for request in desk.world.refunds} == {refund_key(payment.id)}
    assert_everybody_agrees(desk.world, payment)
