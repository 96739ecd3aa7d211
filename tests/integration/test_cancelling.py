"""A payment that its caller cancels is undone and keeps no money."""

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.system import System


async def test_cancelled_payment_is_refunded(system: System) -> None:
    order = await system.an_order()
    async with system.gateway(holdsResponses=True):
        paying = asyncio.create_task(system.pay(order))
        await system.until_captured(order)
        [row] = await system.rows(order)
        accepted = await system.post(b"", f"/payments/{row['id']}/cancel")
    answer = await paying

    assert (accepted.status, accepted.payment["status"]) == (202, "pending")
    assert (answer.status, answer.body["code"]) == (409, "PAYMENT_CANCELLED")
    assert [charge["state"] for charge in await system.charges(order)] == ["refunded"]
    await assert_agreement(system, order, answer)
    again = await system.post(b"", f"/payments/{row['id']}/cancel")
    assert (again.status, again.body["code"]) == (409, "PAYMENT_ENDED")
