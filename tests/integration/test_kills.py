"""Our own processes killed while a payment runs: it is completed, once."""

import asyncio

import httpx
import pytest

from tests.support.agreement import assert_agreement
from tests.support.shop import Shop


async def test_payment_outlives_the_worker_and_the_api(shop: Shop) -> None:
    order = await shop.an_order()
    seat = await shop.a_seat(order)
    async with shop.gateway(latencyMs=600):
        paying = asyncio.create_task(shop.pay(order, reservationId=seat))
        await shop.until_captured(order)  # which the worker has not heard of yet
        async with shop.without("worker", "api", killed=True):
            with pytest.raises(httpx.TransportError):
                await paying

    answer = await shop.pay(order, reservationId=seat)

    assert answer.status == 200
    assert len(await shop.rows(order)) == len(await shop.charges(order)) == 1
    assert len({event.id for event in await shop.events(order)}) == 1
    await assert_agreement(shop, order, answer)
