"""How a payment ends when a step is refused, fails, recovers or loses its response."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity

from activities.events import EventActivities
from domain.errors import ErrorCode, FailureReason
from domain.gateway import Charge, ChargeState
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from domain.payment import Payment, PaymentStatus
from tests.support.builders import DECLINED, HOUR, a_payment, a_reservation, an_order
from tests.support.fakes.world import World, refusal
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import FORWARD, SagaHarness, attention_flags
from workflows.policies import STEPS

VERIFICATION = {"fetch_order", "fetch_reservation", "record_pending"}
BEGUN_FIRST = [
    "record_succeeded",
    "record_announcement",
    "find_payment",
    TOPIC_SUCCEEDED,
    "record_announcement",
]
"""The calls of a success that is recorded and published by regular activities."""


async def test_a_payment_is_charged_once_and_published_once(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()

    payment = await harness.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.transaction_id == "txn_0123456789abcdef"
    assert set(harness.world.calls[:3]) == VERIFICATION
    assert harness.world.calls[3:] == FORWARD[3:]
    assert harness.world.events[0].value["reservationId"] == instruction.reservation_id
    assert_books_agree(harness.world, payment)


async def test_an_order_without_a_reservation_is_paid(harness: SagaHarness) -> None:
    payment = await harness.pay(harness.an_instruction(reserved=False))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert "fetch_reservation" not in harness.world.calls
    assert_books_agree(harness.world, payment)


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
    harness: SagaHarness, change: dict[str, Any], code: ErrorCode
) -> None:
    instruction = harness.an_instruction()
    harness.world.orders[instruction.order_id] = an_order(instruction, **change)

    payment = await harness.pay(instruction)

    assert_rejected(harness.world, payment, code)


async def test_missing_order_causes_no_charge_and_no_event(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    del harness.world.orders[instruction.order_id]

    payment = await harness.pay(instruction)

    assert_rejected(harness.world, payment, ErrorCode.ORDER_NOT_FOUND)
    assert harness.world.calls.count("fetch_order") == 1


@pytest.mark.parametrize("operation", ["fetch_order", "record_pending"])
async def test_order_that_could_not_be_verified_causes_no_event(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.before[operation] = harness.world.down_for(operation, HOUR)

    payment = await harness.pay()

    assert payment.failure_reason is FailureReason.TIMEOUT
    assert payment.error_code is not None
    assert_rejected(harness.world, payment, ErrorCode(payment.error_code))


def assert_rejected(world: World, payment: Payment, code: ErrorCode) -> None:
    assert (payment.status, payment.error_code) == (PaymentStatus.FAILED, code)
    assert "charge" not in world.calls
    assert world.events == []
    assert_books_agree(world, payment)


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
    harness: SagaHarness, change: dict[str, Any], released: bool
) -> None:
    instruction = harness.an_instruction()
    held = a_reservation(instruction, **change)
    harness.world.reservations[held.id] = held

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert "charge" not in harness.world.calls
    assert harness.world.topics == [TOPIC_FAILED]
    assert harness.world.events[0].value.get("reservationId") == (held.id if released else None)
    assert_books_agree(harness.world, payment)


async def test_unreachable_inventory_fails_the_verified_order(harness: SagaHarness) -> None:
    harness.world.before["fetch_reservation"] = harness.world.down_for("fetch_reservation", HOUR)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.INVENTORY_UNAVAILABLE
    assert "charge" not in harness.world.calls
    assert "reservationId" not in harness.world.events[0].value
    assert_books_agree(harness.world, payment)


async def test_an_order_paid_before_returns_that_payment(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    earlier = a_payment(order_id=instruction.order_id).succeeded(at=datetime.now(UTC)).announced()
    harness.world.payments[earlier.id] = earlier

    assert await harness.pay(instruction) == earlier
    assert set(harness.world.calls) == VERIFICATION


async def test_order_held_by_another_payment_is_left_alone(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    other = a_payment(order_id=instruction.order_id)
    harness.world.payments[other.id] = other

    payment = await harness.pay(instruction)

    assert harness.world.payments[other.id] == other
    harness.world.payments[other.id] = other.failed(DECLINED, at=datetime.now(UTC))
    assert_rejected(harness.world, payment, ErrorCode.PAYMENT_IN_PROGRESS)


async def test_an_unpublished_success_is_published_first(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    first = instruction.model_copy(update={"payment_id": uuid4()})
    harness.world.lose_after_success(first)
    unpublished = harness.world.payments[first.payment_id]
    harness.world.before[TOPIC_SUCCEEDED] = harness.world.times(2, refusal(ErrorCode.EVENT_REFUSED))

    assert await harness.pay(instruction) == unpublished.announced()
    assert harness.world.topics == [TOPIC_SUCCEEDED]
    assert "charge" not in harness.world.calls


async def test_event_refused_after_one_that_may_have_arrived_undoes_nothing(
    harness: SagaHarness,
) -> None:
    instruction = harness.an_instruction()
    harness.world.after[TOPIC_SUCCEEDED] = harness.world.times(
        1, harness.world.down(TOPIC_SUCCEEDED)
    )
    refuse = refusal(ErrorCode.EVENT_REFUSED)

    async def refuse_the_second() -> None:
        if harness.world.calls.count(TOPIC_SUCCEEDED) == 2:
            await refuse()

    harness.world.before[TOPIC_SUCCEEDED] = refuse_the_second

    payment = await harness.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert harness.world.calls.count(TOPIC_SUCCEEDED) == 3
    assert_books_agree(harness.world, payment)


async def test_what_failed_in_one_local_step_goes_on_in_two_regular_ones(
    harness: SagaHarness,
) -> None:
    down = harness.world.down("record_succeeded")
    harness.world.before["record_succeeded"] = harness.world.times(1, down)
    handle = await harness.start(harness.an_instruction())

    payment = await handle.result()

    events = (await handle.fetch_history()).events
    markers = [each.marker_recorded_event_attributes.marker_name for each in events]
    assert markers.count("core_local_activity") == len([*VERIFICATION, "record_and_publish"])
    assert harness.world.calls[3:] == ["charge", "record_succeeded", *BEGUN_FIRST]
    assert_books_agree(harness.world, payment)


async def test_event_refused_after_a_record_without_a_response_undoes_nothing(
    harness: SagaHarness,
) -> None:
    """Then nobody knows whether the event was sent."""
    lost = harness.world.times(1, harness.world.down("record_succeeded"))
    harness.world.after["record_succeeded"] = lost
    harness.world.before[TOPIC_SUCCEEDED] = harness.world.times(1, refusal(ErrorCode.EVENT_REFUSED))

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert harness.world.topics == [TOPIC_SUCCEEDED]
    assert_books_agree(harness.world, payment)


async def test_event_refused_in_a_later_round_undoes_nothing(harness: SagaHarness) -> None:
    """Also if the database could not record that the event may have been sent.

    The first try was refused, and its response was lost. So the next one counts as the first.
    """
    lost = harness.world.times(1, harness.world.down("record_unsent"))
    harness.world.after["record_unsent"] = lost
    a_round = STEPS[EventActivities.publish_event].schedule_to_close
    harness.world.before["record_announcement"] = harness.world.down_for(
        "record_announcement", a_round
    )
    down = harness.world.down(TOPIC_SUCCEEDED)
    refuse = harness.world.times(2, refusal(ErrorCode.EVENT_REFUSED))

    async def dark_for_a_round() -> None:
        tries = harness.world.calls.count(TOPIC_SUCCEEDED)
        is_later_round = activity.info().attempt == 1 and tries > 2
        await (refuse if tries == 1 or is_later_round else down)()

    harness.world.before[TOPIC_SUCCEEDED] = dark_for_a_round

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


async def test_decline_needs_no_refund(harness: SagaHarness) -> None:
    harness.world.decline = Charge(
        key="",
        state=ChargeState.DECLINED,
        error_code=ErrorCode.CARD_DECLINED,
        message="The card was declined.",
    )

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert payment.failure_reason is FailureReason.CARD_DECLINED
    assert {"void_charge", "refund"}.isdisjoint(harness.world.calls)
    assert harness.world.topics == [TOPIC_FAILED]
    assert_books_agree(harness.world, payment)


async def test_saga_survives_eviction_from_the_worker(harness_without_cache: SagaHarness) -> None:
    harness = harness_without_cache
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)

    payment = await harness.pay()

    assert payment.error_code is ErrorCode.RECORD_REFUSED
    assert_books_agree(harness.world, payment)


async def test_simulated_money_fails_the_payment_and_calls_operators(harness: SagaHarness) -> None:
    """In production, the adapter reads a capture that is only simulated as this decline."""
    code = ErrorCode.GATEWAY_SIMULATED
    harness.world.decline = Charge(key="", state=ChargeState.DECLINED, error_code=code)
    handle = await harness.start(harness.an_instruction())

    payment = await handle.result()

    assert payment.error_code is code
    assert attention_flags(await handle.fetch_history()) == [True]
    assert_books_agree(harness.world, payment)
