"""After a slow charge the order and its reservation are verified again before money is kept."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeState
from domain.instruction import PaymentInstruction
from domain.names import TOPIC_FAILED, workflow_id
from domain.payment import Payment, PaymentStatus
from tests.support.builders import HOUR, a_payment, a_reservation, an_order
from tests.support.changes import then
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import SagaHarness

MANY = 10
"""Fewer than the number of tries in five minutes."""


def gateway_is_dark(harness: SagaHarness) -> None:
    """The charge is captured, but its response is lost for an hour."""
    world = harness.world
    world.after["charge"] = world.down("charge")
    world.before["find_charge"] = world.down("find_charge")
    world.before["void_charge"] = world.down_for("void_charge", HOUR)


def gateway_answers_the_second_time(harness: SagaHarness) -> None:
    harness.world.after["charge"] = harness.world.times(1, harness.world.down("charge"))


SLOW = [gateway_is_dark, gateway_answers_the_second_time]


def when_charged(harness: SagaHarness, change: Callable[[], object]) -> None:
    harness.world.after["charge"] = then(harness.world.after.get("charge"), change)


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_an_order_that_is_gone_is_refunded_and_not_published(
    harness: SagaHarness, slow: Callable[[SagaHarness], None], state: str
) -> None:
    slow(harness)
    instruction = harness.an_instruction()

    def change() -> None:
        harness.world.orders[instruction.order_id] = an_order(instruction, state=state)

    when_charged(harness, change)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert harness.world.events == []
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("slow", SLOW)
async def test_an_order_that_has_vanished_is_refunded(
    harness: SagaHarness, slow: Callable[[SagaHarness], None]
) -> None:
    slow(harness)
    instruction = harness.an_instruction()
    when_charged(harness, harness.world.orders.clear)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_FOUND
    assert harness.world.events == []
    assert_books_agree(harness.world, payment)


RESERVATIONS = {
    "expired": {"status": "expired"},
    "another order's": {"order_id": uuid4()},
    "confirmed": {"status": "confirmed"},
}


@pytest.mark.parametrize("slow", SLOW)
@pytest.mark.parametrize("changes", RESERVATIONS.values(), ids=RESERVATIONS)
async def test_a_reservation_that_does_not_hold_is_refunded(
    harness: SagaHarness, slow: Callable[[SagaHarness], None], changes: dict[str, object]
) -> None:
    slow(harness)
    instruction = harness.an_instruction()
    held = _reservation(instruction)

    def change() -> None:
        harness.world.reservations[held] = a_reservation(instruction, **changes)

    when_charged(harness, change)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert harness.world.topics == [TOPIC_FAILED]
    named = "reservationId" in harness.world.events[0].value
    assert named == ("status" in changes and changes["status"] != "confirmed")
    assert_books_agree(harness.world, payment)


async def test_a_reservation_that_has_vanished_is_not_named(harness: SagaHarness) -> None:
    gateway_answers_the_second_time(harness)
    instruction = harness.an_instruction()
    when_charged(harness, harness.world.reservations.clear)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert "reservationId" not in harness.world.events[0].value
    assert_books_agree(harness.world, payment)


async def test_a_quick_payment_is_verified_once(harness: SagaHarness) -> None:
    await harness.pay()

    assert harness.world.calls.count("fetch_order") == 1
    assert harness.world.calls.count("fetch_reservation") == 1


@pytest.mark.parametrize("operation", ["fetch_order", "fetch_reservation"])
async def test_a_capture_waits_for_the_second_answer(harness: SagaHarness, operation: str) -> None:
    gateway_answers_the_second_time(harness)

    def go_dark() -> None:
        harness.world.before[operation] = harness.world.down_for(operation, HOUR)

    when_charged(harness, go_dark)

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("operation", ["fetch_order", "fetch_reservation"])
async def test_a_hold_that_lapses_while_nobody_answers_is_refunded(
    harness: SagaHarness, operation: str
) -> None:
    gateway_answers_the_second_time(harness)
    instruction = harness.an_instruction()
    expires_at = harness.started_at + timedelta(minutes=30)
    held = a_reservation(instruction, expires_at=expires_at)
    harness.world.reservations[held.id] = held
    outage = harness.world.down_for(operation, 10 * HOUR)

    def go_dark() -> None:
        harness.world.before[operation] = outage

    when_charged(harness, go_dark)

    async def end_outage() -> None:
        harness.world.before.pop(operation, None)

    harness.world.after["refund"] = end_outage

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert payment.processed_at is not None
    assert payment.processed_at < harness.started_at + 2 * HOUR
    assert harness.world.topics == [TOPIC_FAILED]
    assert_books_agree(harness.world, payment)


async def test_a_cancellation_does_not_wait_for_ordering(harness: SagaHarness) -> None:
    gateway_answers_the_second_time(harness)
    instruction = harness.an_instruction()
    outage = harness.world.down_for("fetch_order", 10 * HOUR)

    async def cancel_and_fail() -> None:
        await harness.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()
        await outage()

    def go_dark() -> None:
        harness.world.before["fetch_order"] = cancel_and_fail

    async def end_outage() -> None:
        harness.world.before.pop("fetch_order", None)

    when_charged(harness, go_dark)
    harness.world.after["refund"] = end_outage

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_a_decline_after_hours_is_not_published_if_the_order_is_gone(
    harness: SagaHarness, state: str
) -> None:
    decline = Charge(key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED)
    harness.world.decline = decline
    gateway_is_dark(harness)
    instruction = harness.an_instruction()

    def change() -> None:
        harness.world.orders[instruction.order_id] = an_order(instruction, state=state)

    when_charged(harness, change)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert harness.world.events == []
    assert_books_agree(harness.world, payment)


def _reservation(instruction: PaymentInstruction) -> UUID:
    assert instruction.reservation_id is not None
    return instruction.reservation_id


async def test_inventory_is_requested_for_minutes_before_the_payment_fails(
    harness: SagaHarness,
) -> None:
    harness.world.before["fetch_reservation"] = harness.world.down_for(
        "fetch_reservation", timedelta(minutes=4)
    )

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


async def test_inventory_that_stays_away_fails_the_payment(harness: SagaHarness) -> None:
    harness.world.before["fetch_reservation"] = harness.world.down("fetch_reservation")

    payment: Payment = await harness.pay()

    assert payment.error_code is ErrorCode.INVENTORY_UNAVAILABLE
    assert harness.world.topics == [TOPIC_FAILED]
    assert "reservationId" not in harness.world.events[0].value
    assert_books_agree(harness.world, payment)


def another_payment_runs(harness: SagaHarness, instruction: PaymentInstruction) -> None:
    other = a_payment(order_id=instruction.order_id)
    harness.world.payments[other.id] = other


def order_is_cancelled(harness: SagaHarness, instruction: PaymentInstruction) -> None:
    harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")


def order_is_paid(harness: SagaHarness, instruction: PaymentInstruction) -> None:
    paid = a_payment(order_id=instruction.order_id).succeeded(harness.started_at).announced()
    harness.world.payments[paid.id] = paid


@pytest.mark.parametrize("known", [another_payment_runs, order_is_cancelled, order_is_paid])
async def test_what_is_known_without_inventory_does_not_wait_for_it(
    harness: SagaHarness, known: Callable[[SagaHarness, PaymentInstruction], None]
) -> None:
    instruction = harness.an_instruction()
    known(harness, instruction)
    harness.world.before["fetch_reservation"] = harness.world.down("fetch_reservation")

    payment = await harness.pay(instruction)

    assert payment.error_code is not ErrorCode.INVENTORY_UNAVAILABLE
    assert harness.world.calls.count("fetch_reservation") < MANY
    assert harness.world.events == []
