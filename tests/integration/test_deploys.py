"""Our own processes replaced under load, as a deployment does: no payment fails because of it."""

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.shop import Shop


async def test_worker_completes_what_it_runs_and_the_next_one_goes_on(shop: Shop) -> None:
    orders = [await shop.an_order() for _ in range(10)]
    async with shop.gateway(latencyMs=600):
        paying = asyncio.gather(*(shop.pay(order) for order in orders))
        await shop.until_captured(orders[0])
        await shop.stack.restart("worker")
        answers = await paying

    for order, answer in zip(orders, answers, strict=True):
        assert answer.status == 200
        assert len(await shop.rows(order)) == len(await shop.charges(order)) == 1
        await assert_agreement(shop, order, answer)


async def test_api_answers_whom_it_has_accepted(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.gateway(latencyMs=1500):
        paying = asyncio.create_task(shop.pay(order))
        await shop.until_captured(order)
        async with shop.without("api"):
            answer = await paying

    assert answer.status == 200
    await assert_agreement(shop, order, answer)
