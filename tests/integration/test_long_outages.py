"""Neighbours stay down until a step is given up. The minutes of waiting are skipped."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.errors import NEW_ORDER
from domain.names import TOPIC_FAILED
from tests.support.agreement import assert_agreement
from tests.support.replica import time_skipping_system
from tests.support.system import System


@pytest.fixture
async def skipping(system: System) -> AsyncIterator[System]:
    """A new system for each test: a test leaves its clock a day ahead of new requests."""
    async with time_skipping_system(system) as skipping:
        yield skipping


async def test_without_ordering_nothing_is_charged_or_published(skipping: System) -> None:
    order = await skipping.an_order()
    async with skipping.without("ordering"):
        refused = await skipping.pay(order, key=order.id)

    assert (refused.status, refused.body["code"]) == (503, "ORDERING_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) > 0
    assert await skipping.charges(order) == []
    await assert_agreement(skipping, order, refused)
    paid = await skipping.pay(order, key=order.id)
    assert (paid.status, "idempotent-replayed" in paid.headers) == (200, False)
    await assert_agreement(skipping, order, paid)


async def test_without_inventory_the_order_is_given_up_after_the_reservation_wait(
    skipping: System,
) -> None:
    order = await skipping.an_order()
    seat = await skipping.a_seat(order)
    async with skipping.without("inventory"):
        refused = await skipping.pay(order, reservationId=seat, key=order.id)

    assert (refused.status, refused.body["code"]) == (422, "INVENTORY_UNAVAILABLE")
    assert refused.body["errorMessage"].endswith(NEW_ORDER)
    assert "retry-after" not in refused.headers
    assert await skipping.charges(order) == []
    (event,) = await skipping.events(order)
    assert event.topic == TOPIC_FAILED
    assert "reservationId" not in event.body, "it was not seen to be this order's"
    await assert_agreement(skipping, order, refused)
    again = await skipping.pay(order, reservationId=seat, key=order.id)
    assert (again.status, again.text) == (422, refused.text)


async def test_an_unknown_charge_is_resolved_when_the_gateway_is_back(skipping: System) -> None:
    order = await skipping.an_order()
    async with skipping.without("gateway"):
        paying = asyncio.create_task(skipping.pay(order))
        await skipping.until_retried(order, "settle_charge")

    refused = await paying

    assert (refused.status, refused.body["code"]) == (422, "PROCESSOR_TIMEOUT")
    assert await skipping.charges(order) == []
    await assert_agreement(skipping, order, refused)


async def test_a_capture_without_a_response_is_found_and_kept(skipping: System) -> None:
    order = await skipping.an_order()
    async with skipping.gateway(holdsResponses=True):
        paying = asyncio.create_task(skipping.pay(order))
        await skipping.until_captured(order)
        async with skipping.without("gateway", killed=True):
            await skipping.until_retried(order, "settle_charge")

    answer = await paying

    assert answer.status == 200
    await assert_agreement(skipping, order, answer)
