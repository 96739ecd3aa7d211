"""The same Idempotency-Key gets the same response, and never stands for two requests."""

import asyncio
from uuid import uuid4

from tests.support.agreement import assert_agreement
from tests.support.system import Answer, System


def a_key() -> str:
    return str(uuid4())


async def test_repeated_request_gets_the_same_answer(system: System) -> None:
    order, key = await system.an_order(), a_key()
    first = await system.pay(order, key)

    second = await system.pay(order, key)

    assert not is_replayed(first)
    assert is_replayed(second)
    assert (second.status, second.text) == (200, first.text)
    await assert_agreement(system, order, second)


async def test_declined_request_is_not_tried_again(system: System) -> None:
    order, key = await system.an_order("10.13"), a_key()
    first = await system.pay(order, key)

    second = await system.pay(order, key)

    assert is_replayed(second)
    assert (second.status, second.text) == (422, first.text)
    assert len(await system.rows(order)) == 1
    await assert_agreement(system, order, second)


async def test_quoted_and_bare_are_one_key(system: System) -> None:
    order, key = await system.an_order(), a_key()
    first = await system.pay(order, f'"{key}"')

    second = await system.pay(order, key)

    assert is_replayed(second)
    assert second.text == first.text


async def test_running_request_is_joined(system: System) -> None:
    order, key = await system.an_order(), a_key()

    answers = await asyncio.gather(*(system.pay(order, key) for _ in range(10)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    await assert_agreement(system, order, answers[0])


async def test_key_of_another_request_is_refused(system: System) -> None:
    order, key = await system.an_order(), a_key()
    await system.pay(order, key)

    answer = await system.pay(order, key, paymentMethod="wallet")

    assert (answer.status, answer.body["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert answer.body["type"] == "urn:payment-service:problem:idempotency-key-reused"
    assert (answer.body["success"], answer.body["payment"]) == (False, None)


async def test_key_of_another_customer_is_another_key(system: System) -> None:
    one, other, key = await system.an_order(), await system.an_order(), a_key()
    await system.pay(one, key)

    answer = await system.pay(other, key)

    assert (answer.status, is_replayed(answer)) == (200, False)
    await assert_agreement(system, other, answer)


async def test_an_order_that_was_paid_without_a_key_is_not_paid_again_with_one(
    system: System,
) -> None:
    order, key = await system.an_order(), a_key()
    first = await system.pay(order)

    answers = [await system.pay(order, key) for _ in range(2)]

    assert [answer.text for answer in answers] == [first.text] * 2
    await assert_agreement(system, order, answers[1])


async def test_an_invalid_key_is_refused(system: System) -> None:
    order = await system.an_order()

    answer = await system.pay(order, "x" * 256)

    assert (answer.status, answer.body["code"]) == (400, "INVALID_REQUEST")
    assert not await system.rows(order)


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"
