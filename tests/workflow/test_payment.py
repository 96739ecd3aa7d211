"""How a payment ends: each step refused, failing for good, recovering, or losing its answer."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity

from activities.events import EventActivities
from domain.errors import ErrorCode, FailureReason, PaymentError
from domain.gateway import Charge, ChargeState
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from domain.payment import Announcement, Payment, PaymentStatus
from tests.support.builders import a_payment, a_reservation, an_order
from tests.support.fakes.world import World, refusal
from tests.support.invariants import assert_everybody_agrees
from tests.workflow.conftest import FORWARD, Desk, attention_flags
from workflows.policies import STEPS

HOUR = timedelta(hours=1)


DECLINED = PaymentError(ErrorCode.CARD_DECLINED, "The card was declined.")


VERIFICATION = {"fetch_order", "fetch_reservation", "record_pending"}


async def test_pays_once_and_tells_once(desk: Desk) -> None:
    instruction = desk.an_instruction()

    payment = await desk.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.transaction_id == "txn_0123456789abcdef"
    assert set(desk.world.calls[:3]) == VERIFICATION
    assert desk.world.calls[3:] == FORWARD[3:]
    assert desk.world.events[0].value["reservationId"] == instruction.reservation_id
    assert_everybody_agrees(desk.world, payment)


async def test_pays_an_order_without_a_reservation(desk: Desk) -> None:
    payment = await desk.pay(desk.an_instruction(reserved=False))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert "fetch_reservation" not in desk.world.calls
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"customer_id": str(uuid4())}, ErrorCode.CUSTOMER_MISMATCH),
        ({"state": "paid"}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": None}, ErrorCode.ORDER_NOT_PENDING),
        ({"total": "150.01"}, ErrorCode.AMOUNT_MISMATCH),
        ({"currency": "EUR"}, ErrorCode.CURRENCY_MISMATCH),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_rejected_order_causes_no_charge_and_no_event(
    desk: Desk, change: dict[str, Any], code: ErrorCode
) -> None:
    instruction = desk.an_instruction()
    desk.world.orders[instruction.order_id] = an_order(instruction, **change)

    payment = await desk.pay(instruction)

    assert_rejected(desk.world, payment, code)


async def test_missing_order_causes_no_charge_and_no_event(desk: Desk) -> None:
    instruction = desk.an_instruction()
    del desk.world.orders[instruction.order_id]

    payment = await desk.pay(instruction)

    assert_rejected(desk.world, payment, ErrorCode.ORDER_NOT_FOUND)
    assert desk.world.calls.count("fetch_order") == 1


@pytest.mark.parametrize("operation", ["fetch_order", "record_pending"])
async def test_order_that_could_not_be_verified_causes_no_event(desk: Desk, operation: str) -> None:
    desk.world.before[operation] = desk.world.down_for(operation, HOUR)

    payment = await desk.pay()

    assert payment.failure_reason is FailureReason.TIMEOUT
    assert payment.error_code is not None
    assert_rejected(desk.world, payment, ErrorCode(payment.error_code))


def assert_rejected(world: World, payment: Payment, code: ErrorCode) -> None:
    assert (payment.status, payment.error_code) == (PaymentStatus.FAILED, code)
    assert "charge" not in world.calls
    assert world.events == []
    assert_everybody_agrees(world, payment)


@pytest.mark.parametrize(
    ("change", "released"),
    [
        ({"status": "expired"}, True),
        ({"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, True),
        ({"status": "confirmed"}, False),
        ({"order_id": uuid4()}, False),
        ({"customer_id": uuid4()}, True),
        ({"order_id": None, "status": "expired"}, False),
    ],
    ids=["expired", "lapsed", "confirmed", "another order's", "another customer's", "nobody's"],
)
async def test_lapsed_reservation_fails_the_verified_order(
    desk: Desk, change: dict[str, Any], released: bool
) -> None:
    instruction = desk.an_instruction()
    held = a_reservation(instruction, **change)
    desk.world.reservations[held.id] = held

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert "charge" not in desk.world.calls
    assert desk.world.topics == [TOPIC_FAILED]
    assert desk.world.events[0].value.get("reservationId") == (held.id if released else None)
    assert_everybody_agrees(desk.world, payment)


async def test_unreachable_inventory_fails_the_verified_order(desk: Desk) -> None:
    desk.world.before["fetch_reservation"] = desk.world.down_for("fetch_reservation", HOUR)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.INVENTORY_UNAVAILABLE
    assert "charge" not in desk.world.calls
    assert "reservationId" not in desk.world.events[0].value
    assert_everybody_agrees(desk.world, payment)


async def test_order_paid_before_answers_that_payment(desk: Desk) -> None:
    instruction = desk.an_instruction()
    earlier = a_payment(order_id=instruction.order_id).succeeded(at=datetime.now(UTC)).announced()
    desk.world.payments[earlier.id] = earlier

    assert await desk.pay(instruction) == earlier
    assert set(desk.world.calls) == VERIFICATION


async def test_order_held_by_another_payment_is_left_alone(desk: Desk) -> None:
    instruction = desk.an_instruction()
    other = a_payment(order_id=instruction.order_id)
    desk.world.payments[other.id] = other

    payment = await desk.pay(instruction)

    assert desk.world.payments[other.id] == other
    desk.world.payments[other.id] = other.failed(DECLINED, at=datetime.now(UTC))
    assert_rejected(desk.world, payment, ErrorCode.PAYMENT_IN_PROGRESS)


async def test_success_that_nobody_was_told_of_is_announced_first(desk: Desk) -> None:
    instruction = desk.an_instruction()
    first = instruction.model_copy(update={"payment_id": uuid4()})
    desk.world.lose_after_success(first)
    untold = desk.world.payments[first.payment_id]
    desk.world.before[TOPIC_SUCCEEDED] = desk.world.times(2, refusal(ErrorCode.EVENT_REFUSED))

    assert await desk.pay(instruction) == untold.announced()
    assert desk.world.topics == [TOPIC_SUCCEEDED]
    assert "charge" not in desk.world.calls


async def test_event_refused_after_one_that_may_have_arrived_undoes_nothing(desk: Desk) -> None:
    instruction = desk.an_instruction()
    desk.world.after[TOPIC_SUCCEEDED] = desk.world.times(1, desk.world.down(TOPIC_SUCCEEDED))
    refuse = refusal(ErrorCode.EVENT_REFUSED)

    async def refuse_the_second() -> None:
        if desk.world.calls.count(TOPIC_SUCCEEDED) == 2:
            await refuse()

    desk.world.before[TOPIC_SUCCEEDED] = refuse_the_second

    payment = await desk.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert desk.world.calls.count("record_announcement") == 3
    assert_everybody_agrees(desk.world, payment)


async def test_event_refused_in_a_later_round_undoes_nothing(desk: Desk) -> None:
    """Nor while the database, which could not be written either, has it that none was sent."""
    a_round = STEPS[EventActivities.publish_event].schedule_to_close
    desk.world.before["record_announcement"] = desk.world.down_for("record_announcement", a_round)
    down = desk.world.down(TOPIC_SUCCEEDED)
    refuse = desk.world.times(1, refusal(ErrorCode.EVENT_REFUSED))

    async def dark_for_a_round() -> None:
        is_later_round = activity.info().attempt == 1 < desk.world.calls.count(TOPIC_SUCCEEDED)
        await (refuse if is_later_round else down)()

    desk.world.before[TOPIC_SUCCEEDED] = dark_for_a_round

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


async def test_decline_needs_no_refund(desk: Desk) -> None:
    desk.world.decline = Charge(
        key="",
        state=ChargeState.DECLINED,
        error_code=ErrorCode.CARD_DECLINED,
        message="The card was declined.",
    )

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert payment.failure_reason is FailureReason.CARD_DECLINED
    assert {"void_charge", "refund"}.isdisjoint(desk.world.calls)
    assert desk.world.topics == [TOPIC_FAILED]
    assert_everybody_agrees(desk.world, payment)


async def test_new_attempt_after_a_failure_that_nobody_heard_of(desk: Desk) -> None:
    instruction = desk.an_instruction()
    desk.world.before["fetch_order"] = desk.world.down_for("fetch_order", HOUR)
    first = await desk.pay(instruction)
    assert first.error_code is ErrorCode.ORDERING_UNAVAILABLE
    desk.world.before.clear()

    second = await desk.pay(instruction.model_copy(update={"payment_id": uuid4()}))

    assert second.status is PaymentStatus.SUCCEEDED
    assert len(desk.world.captures) == 1


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_a_published_failure_closes_the_order(desk: Desk, announcement: Announcement) -> None:
    instruction = desk.an_instruction()
    failed = Payment.pending(instruction).failed(DECLINED, desk.opened_at, announcement)
    desk.world.payments[failed.id] = failed

    again = await desk.pay(instruction.model_copy(update={"payment_id": uuid4()}))

    assert again.error_code is ErrorCode.ORDER_NOT_PENDING
    assert again.announcement is Announcement.NONE
    assert {"charge", "refund", TOPIC_FAILED}.isdisjoint(desk.world.calls)


async def test_a_closed_order_is_shown_to_nobody_else(desk: Desk) -> None:
    instruction = desk.an_instruction()
    failed = Payment.pending(instruction).failed(DECLINED, desk.opened_at, Announcement.MADE)
    desk.world.payments[failed.id] = failed

    changes = {"payment_id": uuid4(), "customer_id": uuid4()}
    stranger = await desk.pay(instruction.model_copy(update=changes))

    assert stranger.error_code is ErrorCode.CUSTOMER_MISMATCH


async def test_the_failed_payments_own_run_ends_as_it_is_recorded(desk: Desk) -> None:
    instruction = desk.an_instruction()
    failed = Payment.pending(instruction).failed(DECLINED, desk.opened_at, Announcement.DUE)
    desk.world.payments[failed.id] = failed

    assert await desk.pay(instruction) == failed.announced()

    assert desk.world.topics == [TOPIC_FAILED]


async def test_saga_survives_eviction_from_the_worker(desk_without_cache: Desk) -> None:
    desk = desk_without_cache
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)

    payment = await desk.pay()

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert_everybody_agrees(desk.world, payment)


async def test_simulated_money_fails_the_payment_and_calls_operators(desk: Desk) -> None:
    """What the adapter makes of a simulated capture in production."""
    code = ErrorCode.GATEWAY_SIMULATED
    desk.world.decline = Charge(key="", state=ChargeState.DECLINED, error_code=code)
    handle = await desk.start(desk.an_instruction())

    payment = await handle.result()

    assert payment.error_code is code
    assert attention_flags(await handle.fetch_history()) == [True]
    assert_everybody_agrees(desk.world, payment)
