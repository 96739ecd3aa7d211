"""Our processes are killed while a payment runs. It is completed, once."""

import asyncio

import httpx
import pytest

from tests.support.agreement import assert_agreement
from tests.support.system import System


async def test_payment_outlives_the_worker_and_the_api(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)
    async with system.gateway(holdsResponses=True):
        paying = asyncio.create_task(system.pay(order, reservationId=seat))
        await system.until_captured(order)  # whose response the worker does not have yet
        async with system.without("worker", "api", killed=True):
            with pytest.raises(httpx.TransportError):
                await paying

    answer = await system.pay(order, reservationId=seat)

    assert answer.status == 200
    assert len(await system.rows(order)) == len(await system.charges(order)) == 1
    assert len({event.id for event in await system.events(order)}) == 1
    await assert_agreement(system, order, answer)
