"""Our processes are replaced during payments, as a deployment does, and no payment fails."""

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.system import System


async def test_a_stopping_worker_completes_its_steps_and_the_next_one_continues(
    system: System,
) -> None:
    orders = [await system.an_order() for _ in range(10)]
    async with system.gateway(latencyMs=600):
        paying = asyncio.gather(*(system.pay(order) for order in orders))
        await system.until_captured(orders[0])
        await system.stack.restart("worker")
        answers = await paying

    for order, answer in zip(orders, answers, strict=True):
        assert answer.status == 200
        assert len(await system.rows(order)) == len(await system.charges(order)) == 1
        await assert_agreement(system, order, answer)


async def test_a_stopping_api_responds_to_the_requests_that_it_has_accepted(system: System) -> None:
    order = await system.an_order()
    async with system.gateway(latencyMs=1500):
        paying = asyncio.create_task(system.pay(order))
        await system.until_captured(order)
        async with system.without("api"):
            answer = await paying

    assert answer.status == 200
    await assert_agreement(system, order, answer)
