"""Dependencies that go away: what a caller is told meanwhile, and that nothing is lost."""

import asyncio
import time

from domain.names import TOPIC_FAILED
from tests.support.agreement import assert_agreement
from tests.support.replica import another_api
from tests.support.shop import Answer, Order, Shop
from tests.support.waiting import eventually

BOUND = 8
"""Seconds after which a caller must know that payments are not accepted."""


async def test_short_outages_of_all_neighbours_cost_only_time(shop: Shop) -> None:
    order = await shop.an_order()
    seat = await shop.a_seat(order)
    async with shop.without("gateway"):
        async with shop.without("ordering", "inventory"):
            paying = asyncio.create_task(shop.pay(order, reservationId=seat))
            await shop.until_retried(order, "fetch_order")
            await shop.until_retried(order, "fetch_reservation")
        await shop.until_retried(order, "charge")

    answer = await paying

    assert answer.status == 200
    await assert_agreement(shop, order, answer)


async def test_callers_are_told_to_wait_while_inventory_is_away(shop: Shop) -> None:
    order = await shop.an_order()
    seat = await shop.a_seat(order)
    async with another_api(shop, payment_wait_seconds=0.1) as impatient, shop.without("inventory"):
        told = await impatient.pay(order, reservationId=seat)
        await shop.until_retried(order, "fetch_reservation")

    answer = await shop.pay(order, reservationId=seat)

    assert (told.status, answer.status) == (202, 200)
    await assert_agreement(shop, order, answer)


async def test_inventory_is_asked_for_as_long_as_the_setting_says(shop: Shop) -> None:
    order = await shop.an_order()
    seat = await shop.a_seat(order)
    async with another_api(shop, reservation_wait_seconds=1) as hasty, shop.without("inventory"):
        refused = await hasty.pay(order, reservationId=seat)

    assert (refused.status, refused.body["code"]) == (422, "INVENTORY_UNAVAILABLE")
    assert [event.topic for event in await shop.events(order)] == [TOPIC_FAILED]
    await assert_agreement(shop, order, refused)


async def test_without_redis_payments_go_on(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.without("valkey"):
        answer = await shop.pay(order)
        again = await shop.pay(order)
        ready = await until_down(shop, "redis")

    assert (answer.status, again.text) == (200, answer.text)
    assert ready.status == 200
    await assert_agreement(shop, order, answer)


async def test_without_postgresql_nothing_is_accepted(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.without("postgres", killed=True):
        refused, ready = await asyncio.gather(shop.pay(order), until_down(shop, "postgresql"))

    assert_refused(refused, "DATABASE_UNAVAILABLE")
    assert ready.status == 503
    await assert_untouched(shop, order)
    await assert_agreement(shop, order, await shop.until_accepted(order))


async def test_postgresql_killed_during_the_charge_delays_the_record(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.gateway(latencyMs=500):
        paying = asyncio.create_task(shop.pay(order))
        await shop.until_captured(order)
        async with shop.without("postgres", killed=True):
            await shop.until_retried(order, "record_succeeded")

    answer = await paying

    assert answer.status == 200
    await assert_agreement(shop, order, answer)


async def test_while_kafka_hangs_a_success_stands_before_it_is_told(shop: Shop) -> None:
    order = await shop.an_order()
    with shop.frozen("kafka"):
        paying = asyncio.create_task(shop.pay(order))
        await shop.until_announced(order, "begun")

    answer = await paying
    await shop.until_announced(order, "made")

    assert answer.status == 200
    await assert_agreement(shop, order, answer)


async def test_without_temporal_nothing_is_accepted(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.without("temporal", killed=True):
        began = time.monotonic()
        refused, ready = await asyncio.gather(shop.pay(order), until_down(shop, "temporal"))
        seconds = time.monotonic() - began

    assert_refused(refused, "SERVICE_UNAVAILABLE")
    assert seconds < BOUND
    assert ready.status == 503
    await assert_untouched(shop, order)
    await assert_agreement(shop, order, await shop.until_accepted(order))


async def until_down(shop: Shop, name: str) -> Answer:
    """What `/ready` answers once it tells that this dependency is down."""

    async def told() -> Answer | None:
        answer = await shop.get("/ready")
        return answer if answer.body["dependencies"][name] == "down" else None

    return await eventually(f"/ready tells that {name} is down", told)


def assert_refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.body["code"]) == (503, code)
    assert int(answer.headers["retry-after"]) > 0
    assert (answer.body["success"], answer.body["payment"]) == (False, None)


async def assert_untouched(shop: Shop, order: Order) -> None:
    assert not await shop.rows(order)
    assert not await shop.charges(order)
    assert not await shop.events(order)
