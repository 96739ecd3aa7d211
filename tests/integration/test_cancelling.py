"""A payment that its caller cancels turns back, and takes nothing."""

import asyncio

from tests.support.agreement import assert_agreement
from tests.support.shop import Shop


async def test_cancelled_payment_is_refunded(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.gateway(latencyMs=1000):
        paying = asyncio.create_task(shop.pay(order))
        await shop.until_captured(order)
        [row] = await shop.rows(order)
        accepted = await shop.post(b"", f"/payments/{row['id']}/cancel")
        answer = await paying

    assert (accepted.status, accepted.payment["status"]) == (202, "pending")
    assert (answer.status, answer.body["code"]) == (409, "PAYMENT_CANCELLED")
    assert [charge["state"] for charge in await shop.charges(order)] == ["refunded"]
    await assert_agreement(shop, order, answer)
    again = await shop.post(b"", f"/payments/{row['id']}/cancel")
    assert (again.status, again.body["code"]) == (409, "PAYMENT_ENDED")
