"""Payments that the gateway declines: the order is cancelled, and no money moves."""

import pytest

from api.errors import NEW_ORDER
from domain.names import TOPIC_FAILED
from tests.support.agreement import assert_agreement
from tests.support.system import Answer, Order, System


@pytest.mark.parametrize(
    ("amount", "code", "reason"),
    [
        ("10.13", "CARD_DECLINED", "card_declined"),
        ("10.66", "INSUFFICIENT_FUNDS", "insufficient_funds"),
        ("10.99", "PROCESSOR_TIMEOUT", "timeout"),
        ("999999.99", "AMOUNT_TOO_LARGE", "processor_error"),
        ("1000000.00", "AMOUNT_TOO_LARGE", "processor_error"),
    ],
)
async def test_magic_amounts_are_declined(
    system: System, amount: str, code: str, reason: str
) -> None:
    order = await system.an_order(amount)

    answer = await system.pay(order)

    await assert_declined(system, order, answer, code, reason)


async def test_success_rate_decides_about_other_amounts(system: System) -> None:
    order = await system.an_order()
    async with system.gateway(successRate=0):
        answer = await system.pay(order)

    await assert_declined(system, order, answer, "CARD_DECLINED", "card_declined")


async def test_declined_order_frees_its_seat(system: System) -> None:
    order = await system.an_order("10.13")
    seat = await system.a_seat(order)

    answer = await system.pay(order, reservationId=seat)

    (event,) = await system.events(order)
    assert event.body["reservationId"] == seat
    await assert_agreement(system, order, answer)


async def test_declined_order_is_closed_to_other_requests(system: System) -> None:
    order = await system.an_order("10.13")
    first = await system.pay(order)
    await system.until_ended(order)

    second = await system.pay(order, paymentMethod="wallet")

    assert (second.status, second.body["code"]) == (400, "ORDER_NOT_PENDING")
    assert second.payment["id"] != first.payment["id"]
    assert len(await system.charges(order)) == 1
    await assert_agreement(system, order, second)


async def assert_declined(
    system: System, order: Order, answer: Answer, code: str, reason: str
) -> None:
    assert (answer.status, answer.body["success"]) == (422, False)
    assert answer.payment["status"] == "failed"
    assert (answer.payment["errorCode"], answer.payment["failureReason"]) == (code, reason)
    assert answer.payment["simulatedResponse"].startswith(f"Failed - {code}: ")
    assert answer.body["errorMessage"] == f"{answer.payment['errorMessage']} {NEW_ORDER}"
    (event,) = await system.events(order)
    assert (event.topic, event.body["failureReason"]) == (TOPIC_FAILED, reason)
    await assert_agreement(system, order, answer)
