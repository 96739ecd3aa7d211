"""Dependencies that go down: what a caller gets meanwhile, and that nothing is lost."""

import asyncio
import time
from contextlib import AsyncExitStack

from domain.names import TOPIC_FAILED
from tests.support.agreement import assert_agreement
from tests.support.replica import another_api
from tests.support.system import Answer, Order, System
from tests.support.waiting import eventually

BOUND = 8
"""Seconds after which a caller must know that payments are not accepted."""
LONG = 60
"""Seconds in which a server starts again, also on a busy machine."""


async def test_short_outages_of_all_neighbours_cost_only_time(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)
    async with another_api(system, payment_wait_seconds=LONG) as patient:
        async with system.without("gateway"):
            async with system.without("ordering", "inventory"):
                paying = asyncio.create_task(patient.pay(order, reservationId=seat))
                await system.until_retried(order, "fetch_order")
                await system.until_retried(order, "fetch_reservation")
            await system.until_retried(order, "charge")
        answer = await paying

    assert answer.status == 200
    await assert_agreement(system, order, answer)


async def test_a_payment_is_accepted_and_waits_while_inventory_is_down(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)
    async with (
        another_api(system, payment_wait_seconds=0.1) as impatient,
        system.without("inventory"),
    ):
        accepted = await impatient.pay(order, reservationId=seat)
        await system.until_retried(order, "fetch_reservation")

    answer = await system.pay(order, reservationId=seat)

    assert (accepted.status, answer.status) == (202, 200)
    await assert_agreement(system, order, answer)


async def test_inventory_is_requested_for_as_long_as_the_setting_says(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)
    async with (
        another_api(system, reservation_wait_seconds=1) as hasty,
        system.without("inventory"),
    ):
        refused = await hasty.pay(order, reservationId=seat)

    assert (refused.status, refused.body["code"]) == (422, "INVENTORY_UNAVAILABLE")
    assert [event.topic for event in await system.events(order)] == [TOPIC_FAILED]
    await assert_agreement(system, order, refused)


async def test_without_redis_payments_go_on(system: System) -> None:
    order = await system.an_order()
    async with system.without("valkey"):
        answer = await system.pay(order)
        again = await system.pay(order)
        ready = await until_down(system, "redis")

    assert (answer.status, again.text) == (200, answer.text)
    assert ready.status == 200
    await assert_agreement(system, order, answer)


async def test_without_postgresql_nothing_is_accepted(system: System) -> None:
    order = await system.an_order()
    async with system.without("postgres", killed=True):
        refused, ready = await asyncio.gather(system.pay(order), until_down(system, "postgresql"))

    assert_refused(refused, "DATABASE_UNAVAILABLE")
    assert ready.status == 503
    await assert_untouched(system, order)
    await assert_agreement(system, order, await system.until_accepted(order))


async def test_postgresql_killed_during_the_charge_delays_the_record(system: System) -> None:
    order = await system.an_order()
    async with another_api(system, payment_wait_seconds=LONG) as patient:
        async with AsyncExitStack() as outage:
            async with system.gateway(holdsResponses=True):
                paying = asyncio.create_task(patient.pay(order))
                await system.until_captured(order)
                await outage.enter_async_context(system.without("postgres", killed=True))
            await system.until_retried(order, "record_succeeded")
        answer = await paying

    assert answer.status == 200
    await assert_agreement(system, order, answer)


async def test_while_kafka_hangs_a_success_stands_before_it_is_published(system: System) -> None:
    order = await system.an_order()
    with system.frozen("kafka"):
        paying = asyncio.create_task(system.pay(order))
        await system.until_announced(order, "begun")

    answer = await paying
    await system.until_announced(order, "made")

    assert answer.status == 200
    await assert_agreement(system, order, answer)


async def test_without_temporal_nothing_is_accepted(system: System) -> None:
    order = await system.an_order()
    async with system.without("temporal", killed=True):
        began = time.monotonic()
        refused = await system.pay(order)
        seconds = time.monotonic() - began
        ready = await until_down(system, "temporal")

    assert_refused(refused, "SERVICE_UNAVAILABLE")
    assert seconds < BOUND
    assert ready.status == 503
    await assert_untouched(system, order)
    await assert_agreement(system, order, await system.until_accepted(order))


async def until_down(system: System, name: str) -> Answer:
    """The response of `/ready` that shows that this dependency is down."""

    async def shows_it() -> Answer | None:
        answer = await system.get("/ready")
        return answer if answer.body["dependencies"][name] == "down" else None

    return await eventually(f"/ready shows that {name} is down", shows_it)


def assert_refused(answer: Answer, code: str) -> None:
    assert (answer.status, answer.body["code"]) == (503, code)
    assert int(answer.headers["retry-after"]) > 0
    assert (answer.body["success"], answer.body["payment"]) == (False, None)


async def assert_untouched(system: System, order: Order) -> None:
    assert not await system.rows(order)
    assert not await system.charges(order)
    assert not await system.events(order)
