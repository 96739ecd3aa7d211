"""Payments that the order or the reservation does not allow: nothing is charged."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.names import TOPIC_FAILED
from tests.support.agreement import assert_agreement
from tests.support.system import Answer, Order, System, an_unknown_order

STRANGER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


async def test_missing_order_is_not_found(system: System) -> None:
    order = an_unknown_order()

    answer = await system.pay(order)

    await assert_rejected(system, order, answer, 404, "ORDER_NOT_FOUND")


async def test_another_customers_order_is_not_shown(system: System) -> None:
    order = await system.an_order()

    answer = await system.pay(order, customerId=STRANGER)

    await assert_rejected(system, order, answer, 401, "CUSTOMER_MISMATCH")
    assert answer.body["payment"] is None
    assert order.customer_id not in answer.text


@pytest.mark.parametrize("status", ["draft", "paid", "fulfilled", "cancelled"])
async def test_an_order_that_is_not_pending_is_refused(system: System, status: str) -> None:
    order = await system.an_order(status=status)

    answer = await system.pay(order)

    await assert_rejected(system, order, answer, 400, "ORDER_NOT_PENDING")
    assert status in answer.body["errorMessage"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": 151}, "AMOUNT_MISMATCH"),
        ({"amount": 15000}, "AMOUNT_MISMATCH"),
        ({"currency": "EUR"}, "CURRENCY_MISMATCH"),
    ],
)
async def test_a_price_that_is_not_the_orders_is_refused(
    system: System, change: dict[str, Any], code: str
) -> None:
    order = await system.an_order("150.00")

    answer = await system.pay(order, **change)

    await assert_rejected(system, order, answer, 400, code)


async def test_rejected_order_can_still_be_paid(system: System) -> None:
    order = await system.an_order()
    await system.pay(order, customerId=STRANGER)
    await system.pay(order, amount=1)

    answer = await system.pay(order)

    assert answer.status == 200
    assert [row["status"] for row in await system.rows(order)] == ["failed", "failed", "succeeded"]
    await assert_agreement(system, order, answer)


async def assert_rejected(
    system: System, order: Order, answer: Answer, status: int, code: str
) -> None:
    """Check that the caller and the row have the reason, and that no event is published."""
    assert (answer.status, answer.body["code"]) == (status, code)
    assert answer.body["success"] is False
    assert answer.body["errorMessage"]
    (row,) = await system.rows(order)
    assert (row["status"], row["error_code"]) == ("failed", code)
    assert await system.charges(order) == []
    assert await system.events(order) == []
    await assert_agreement(system, order, answer)


def in_seconds(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("hold", "is_released"),
    [
        ({"status": "expired"}, True),
        ({"expiresAt": in_seconds(-1)}, True),
        ({"expiresAt": in_seconds(10)}, True),
        ({"status": "confirmed"}, False),
        ({"orderId": STRANGER}, False),
        ({"customerId": STRANGER}, True),
        ({"orderId": None, "status": "expired"}, False),
    ],
    ids=["expired", "lapsed", "too short", "sold", "another's order", "another's", "nobody's"],
)
async def test_a_reservation_that_does_not_hold_fails_the_payment(
    system: System, hold: dict[str, Any], is_released: bool
) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order, **hold)

    answer = await system.pay(order, reservationId=seat)

    await assert_lapsed(system, order, answer, released=seat if is_released else None)


async def test_a_reservation_that_does_not_exist_fails_the_payment(system: System) -> None:
    order = await system.an_order()

    answer = await system.pay(order, reservationId=str(uuid4()))

    await assert_lapsed(system, order, answer, released=None)


async def assert_lapsed(system: System, order: Order, answer: Answer, released: str | None) -> None:
    """Check that the order is cancelled, and that its seat is released if `released` names it."""
    assert (answer.status, answer.payment["errorCode"]) == (400, "RESERVATION_NOT_ACTIVE")
    (event,) = await system.events(order)
    assert event.topic == TOPIC_FAILED
    assert event.body.get("reservationId") == released
    assert await system.charges(order) == []
    await assert_agreement(system, order, answer)


async def test_hold_of_a_minute_is_long_enough(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order, expiresAt=in_seconds(60))

    answer = await system.pay(order, reservationId=seat)

    assert answer.status == 200
    await assert_agreement(system, order, answer)
