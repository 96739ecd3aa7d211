"""The webhooks of the double are counted over its restarts."""

import httpx

from tests.proofs.chaos.deliveries import Deliveries


async def test_a_restart_of_the_double_loses_no_count() -> None:
    counts = iter(
        [
            {"sent": {"genuine": 2}, "accepted": {"genuine": 2}},
            {"sent": {"genuine": 3, "forged": 2}, "accepted": {"genuine": 3, "forged": 1}},
            {"sent": {"genuine": 1}, "accepted": {}},
        ]
    )
    respond = httpx.MockTransport(lambda _: httpx.Response(200, json=next(counts)))
    deliveries = Deliveries("http://double")

    async with httpx.AsyncClient(base_url="http://double", transport=respond) as double:
        for _ in range(3):
            await deliveries.count(double)

    assert deliveries.sent == {"genuine": 4, "forged": 2}
    assert deliveries.accepted == {"genuine": 3, "forged": 1}
    assert deliveries.wrongly_accepted == 1


async def test_without_a_double_nothing_is_counted() -> None:
    deliveries = Deliveries(None)

    await deliveries.watch()

    assert deliveries.wrongly_accepted == 0


async def test_while_the_double_is_away_nothing_is_counted() -> None:
    respond = httpx.MockTransport(lambda _: httpx.Response(503, text="no"))
    deliveries = Deliveries("http://double")

    async with httpx.AsyncClient(base_url="http://double", transport=respond) as double:
        await deliveries.count(double)

    assert not deliveries.sent
