"""Neighbours stay down until a step is given up. The minutes of waiting are skipped."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.errors import NEW_ORDER
from domain.names import TOPIC_FAILED
from tests.support.agreement import assert_agreement
from tests.support.replica import hurrying
from tests.support.system import System


@pytest.fixture
async def hurried(system: System) -> AsyncIterator[System]:
    """A new one for each test: afterwards its clock is a day ahead, and requests would be old."""
    async with hurrying(system) as hurried:
        yield hurried


async def test_without_ordering_nothing_is_charged_or_published(hurried: System) -> None:
    order = await hurried.an_order()
    async with hurried.without("ordering"):
        refused = await hurried.pay(order, key=order.id)

    assert (refused.status, refused.body["code"]) == (503, "ORDERING_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) > 0
    assert await hurried.charges(order) == []
    await assert_agreement(hurried, order, refused)
    paid = await hurried.pay(order, key=order.id)
    assert (paid.status, "idempotent-replayed" in paid.headers) == (200, False)
    await assert_agreement(hurried, order, paid)


async def test_without_inventory_the_order_is_given_up_after_the_reservation_wait(
    hurried: System,
) -> None:
    order = await hurried.an_order()
    seat = await hurried.a_seat(order)
    async with hurried.without("inventory"):
        refused = await hurried.pay(order, reservationId=seat, key=order.id)

    assert (refused.status, refused.body["code"]) == (422, "INVENTORY_UNAVAILABLE")
    assert refused.body["errorMessage"].endswith(NEW_ORDER)
    assert "retry-after" not in refused.headers
    assert await hurried.charges(order) == []
    (event,) = await hurried.events(order)
    assert event.topic == TOPIC_FAILED
    assert "reservationId" not in event.body, "it was not seen to be this order's"
    await assert_agreement(hurried, order, refused)
    again = await hurried.pay(order, reservationId=seat, key=order.id)
    assert (again.status, again.text) == (422, refused.text)


async def test_an_unknown_charge_is_resolved_when_the_gateway_is_back(hurried: System) -> None:
    order = await hurried.an_order()
    async with hurried.without("gateway"):
        paying = asyncio.create_task(hurried.pay(order))
        await hurried.until_retried(order, "settle_charge")

    refused = await paying

    assert (refused.status, refused.body["code"]) == (422, "PROCESSOR_TIMEOUT")
    assert await hurried.charges(order) == []
    await assert_agreement(hurried, order, refused)


async def test_a_capture_without_a_response_is_found_and_kept(hurried: System) -> None:
    order = await hurried.an_order()
    async with hurried.gateway(latencyMs=600):
        paying = asyncio.create_task(hurried.pay(order))
        await hurried.until_captured(order)
        async with hurried.without("gateway", killed=True):
            await hurried.until_retried(order, "settle_charge")

    answer = await paying

    assert answer.status == 200
    await assert_agreement(hurried, order, answer)
