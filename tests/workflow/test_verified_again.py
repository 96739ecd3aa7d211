"""After a slow charge the order and its reservation are verified again before money is kept."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeState
from domain.names import TOPIC_FAILED, workflow_id
from domain.payment import Payment, PaymentInstruction, PaymentStatus
from tests.support.builders import a_payment, a_reservation, an_order
from tests.support.changes import then
from tests.support.invariants import assert_everybody_agrees
from tests.workflow.conftest import Desk

HOUR = timedelta(hours=1)

MANY = 10
"""Fewer than the number of tries in five minutes."""


def gateway_is_dark(desk: Desk) -> None:
    """The charge is captured, and nobody learns of it for an hour."""
    world = desk.world
    world.after["charge"] = world.down("charge")
    world.before["find_charge"] = world.down("find_charge")
    world.before["void_charge"] = world.down_for("void_charge", HOUR)


def gateway_answers_the_second_time(desk: Desk) -> None:
    desk.world.after["charge"] = desk.world.times(1, desk.world.down("charge"))


SLOW = [gateway_is_dark, gateway_answers_the_second_time]


def when_charged(desk: Desk, change: Callable[[], object]) -> None:
    desk.world.after["charge"] = then(desk.world.after.get("charge"), change)


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_an_order_that_is_gone_is_refunded_and_told_nobody(
    desk: Desk, slow: Callable[[Desk], None], state: str
) -> None:
    slow(desk)
    instruction = desk.an_instruction()

    def change() -> None:
        desk.world.orders[instruction.order_id] = an_order(instruction, state=state)

    when_charged(desk, change)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert desk.world.events == []
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("slow", SLOW)
async def test_an_order_that_has_vanished_is_refunded(desk: Desk, slow: Callable[[Desk], None]) -> None:
    slow(desk)
    instruction = desk.an_instruction()
    when_charged(desk, desk.world.orders.clear)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_FOUND
    assert desk.world.events == []
    assert_everybody_agrees(desk.world, payment)


RESERVATIONS = {
    "expired": {"status": "expired"},
    "another order's": {"order_id": uuid4()},
    "confirmed": {"status": "confirmed"},
}


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("changes", RESERVATIONS.values(), ids=RESERVATIONS)
async def test_a_reservation_that_does_not_hold_is_refunded(
    desk: Desk, slow: Callable[[Desk], None], changes: dict[str, object]
) -> None:
    slow(desk)
    instruction = desk.an_instruction()
    held = _reservation(instruction)

    def change() -> None:
        desk.world.reservations[held] = a_reservation(instruction, **changes)

    when_charged(desk, change)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert desk.world.topics == [TOPIC_FAILED]
    named = "reservationId" in desk.world.events[0].value
    assert named == ("status" in changes and changes["status"] != "confirmed")
    assert_everybody_agrees(desk.world, payment)


async def test_a_reservation_that_has_vanished_is_not_named(desk: Desk) -> None:
    gateway_answers_the_second_time(desk)
    instruction = desk.an_instruction()
    when_charged(desk, desk.world.reservations.clear)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert "reservationId" not in desk.world.events[0].value
    assert_everybody_agrees(desk.world, payment)


async def test_a_quick_payment_reads_once(desk: Desk) -> None:
    await desk.pay()

    assert desk.world.calls.count("fetch_order") == 1
    assert desk.world.calls.count("fetch_reservation") == 1


@pytest.mark.parametrize("operation", ["fetch_order", "fetch_reservation"])
async def test_a_capture_waits_for_the_second_answer(desk: Desk, operation: str) -> None:
    gateway_answers_the_second_time(desk)

    def go_dark() -> None:
        desk.world.before[operation] = desk.world.down_for(operation, HOUR)

    when_charged(desk, go_dark)

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("operation", ["fetch_order", "fetch_reservation"])
async def test_a_hold_that_lapses_while_nobody_answers_is_refunded(
    desk: Desk, operation: str
) -> None:
    gateway_answers_the_second_time(desk)
    instruction = desk.an_instruction()
    expires_at = desk.opened_at + timedelta(minutes=30)
    held = a_reservation(instruction, expires_at=expires_at)
    desk.world.reservations[held.id] = held
    outage = desk.world.down_for(operation, 10 * HOUR)

    def go_dark() -> None:
        desk.world.before[operation] = outage

    when_charged(desk, go_dark)

    async def end_outage() -> None:
        desk.world.before.pop(operation, None)

    desk.world.after["refund"] = end_outage

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert payment.processed_at is not None
    assert payment.processed_at < desk.opened_at + 2 * HOUR
    assert desk.world.topics == [TOPIC_FAILED]
    assert_everybody_agrees(desk.world, payment)


async def test_a_cancellation_does_not_wait_for_ordering(desk: Desk) -> None:
    gateway_answers_the_second_time(desk)
    instruction = desk.an_instruction()
    outage = desk.world.down_for("fetch_order", 10 * HOUR)

    async def cancel_and_fail() -> None:
        await desk.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()
        await outage()

    def go_dark() -> None:
        desk.world.before["fetch_order"] = cancel_and_fail

    async def end_outage() -> None:
        desk.world.before.pop("fetch_order", None)

    when_charged(desk, go_dark)
    desk.world.after["refund"] = end_outage

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_a_decline_after_hours_tells_nobody_of_an_order_that_is_gone(
    desk: Desk, state: str
) -> None:
    decline = Charge(key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED)
    desk.world.decline = decline
    gateway_is_dark(desk)
    instruction = desk.an_instruction()

    def change() -> None:
        desk.world.orders[instruction.order_id] = an_order(instruction, state=state)

    when_charged(desk, change)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert desk.world.events == []
    assert_everybody_agrees(desk.world, payment)


def _reservation(instruction: PaymentInstruction) -> UUID:
    assert instruction.reservation_id is not None
    return instruction.reservation_id


async def test_inventory_is_asked_for_minutes_before_the_payment_fails(desk: Desk) -> None:
    desk.world.before["fetch_reservation"] = desk.world.down_for(
        "fetch_reservation", timedelta(minutes=4)
    )

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


async def test_inventory_that_stays_away_fails_the_payment(desk: Desk) -> None:
    desk.world.before["fetch_reservation"] = desk.world.down("fetch_reservation")

    payment: Payment = await desk.pay()

    assert payment.error_code is ErrorCode.INVENTORY_UNAVAILABLE
    assert desk.world.topics == [TOPIC_FAILED]
    assert "reservationId" not in desk.world.events[0].value
    assert_everybody_agrees(desk.world, payment)


def another_payment_runs(desk: Desk, instruction: PaymentInstruction) -> None:
    other = a_payment(order_id=instruction.order_id)
    desk.world.payments[other.id] = other


def order_is_cancelled(desk: Desk, instruction: PaymentInstruction) -> None:
    desk.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")


def order_is_paid(desk: Desk, instruction: PaymentInstruction) -> None:
    paid = a_payment(order_id=instruction.order_id).succeeded(desk.opened_at).announced()
    desk.world.payments[paid.id] = paid


@pytest.mark.parametrize("known", [another_payment_runs, order_is_cancelled, order_is_paid])
async def test_what_is_known_without_inventory_does_not_wait_for_it(
    desk: Desk, known: Callable[[Desk, PaymentInstruction], None]
) -> None:
    instruction = desk.an_instruction()
    known(desk, instruction)
    desk.world.before["fetch_reservation"] = desk.world.down("fetch_reservation")

    payment = await desk.pay(instruction)

    assert payment.error_code is not ErrorCode.INVENTORY_UNAVAILABLE
    assert desk.world.calls.count("fetch_reservation") < MANY
    assert desk.world.events == []
