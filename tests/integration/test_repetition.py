"""An order is paid again after the end, at the same time, and while the first payment runs."""

import asyncio
from itertools import cycle, islice

from domain.instruction import PaymentMethod
from tests.support.agreement import assert_agreement
from tests.support.replica import another_api
from tests.support.system import Answer, System
from tests.support.waiting import eventually

MANY = 20


async def test_second_request_gets_the_same_payment(system: System) -> None:
    order = await system.an_order()
    first = await system.pay(order)

    second = await system.pay(order)

    assert (second.status, second.text) == (200, first.text)
    assert len(await system.events(order)) == 1
    await assert_agreement(system, order, second)


async def test_paid_order_is_not_charged_for_a_different_request_either(system: System) -> None:
    order = await system.an_order()
    first = await system.pay(order)

    second = await system.pay(order, paymentMethod="wallet")

    assert (second.status, second.text) == (200, first.text)
    await assert_agreement(system, order, second)


async def test_paid_order_is_not_shown_to_another_customer(system: System) -> None:
    order = await system.an_order()
    await system.pay(order)
    stranger = (await system.an_order()).customer_id

    answer = await system.pay(order, customerId=stranger)

    assert answer.status == 401
    assert (answer.body["success"], answer.body["payment"]) == (False, None)
    assert order.customer_id not in answer.text
    await assert_agreement(system, order, answer)


async def test_many_identical_requests_at_once_are_one_payment(system: System) -> None:
    order = await system.an_order()

    answers = await asyncio.gather(*(system.pay(order) for _ in range(MANY)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(await system.rows(order)) == len(await system.charges(order)) == 1
    assert len(await system.events(order)) == 1
    await assert_agreement(system, order, answers[0])


async def test_many_different_requests_at_once_are_one_payment(system: System) -> None:
    order = await system.an_order()
    methods = islice(cycle(PaymentMethod), MANY)

    answers = await asyncio.gather(*(system.pay(order, paymentMethod=each) for each in methods))

    winners = {answer.text for answer in answers if answer.status == 200}
    assert len(winners) == 1
    assert {answer.status for answer in answers} <= {200, 409}
    assert len(await system.rows(order)) == len(await system.charges(order)) == 1
    await assert_agreement(system, order, next(each for each in answers if each.status == 200))


async def test_running_payment_is_joined_by_the_same_request_only(system: System) -> None:
    order = await system.an_order()
    async with system.gateway(holdsResponses=True):
        first = asyncio.create_task(system.pay(order))
        await system.until_captured(order)
        second = asyncio.create_task(system.pay(order))
        other = await system.pay(order, paymentMethod="wallet")

    same = await second

    assert (same.status, same.text) == (200, (await first).text)
    assert (other.status, other.body["code"]) == (409, "PAYMENT_IN_PROGRESS")
    assert (other.body["success"], other.body["payment"]) == (False, None)
    await assert_agreement(system, order, same)


async def test_long_payment_is_accepted_and_read_later(system: System) -> None:
    order = await system.an_order()

    async def is_final() -> bool:
        status = (await system.get(answer.headers["location"])).payment["status"]
        return bool(status != "pending")

    async def is_recorded() -> Answer | None:
        answer = await impatient.pay(order)
        return answer if "location" in answer.headers else None

    async with another_api(system, payment_wait_seconds=0.1) as impatient:
        async with system.gateway(holdsResponses=True):
            answer = await eventually("the accepted payment is recorded", is_recorded)
            joined = await impatient.pay(order)
        await eventually("the accepted payment has ended", is_final)

    assert (answer.status, answer.payment["status"]) == (202, "pending")
    assert answer.headers["location"] == f"/payments/{answer.payment['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.body["success"] is False
    assert (joined.status, joined.payment["id"]) == (202, answer.payment["id"])
    await assert_agreement(system, order, await system.pay(order))
