"""A failure closes its order, and a success is returned, before the event is published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.errors import NEW_ORDER
from audit.invariants import violations
from devstack.stack.ports import HOST, Ports
from tests.support.agreement import assert_agreement, books_of
from tests.support.system import Answer, Order, System

STRANGER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


async def test_a_failure_closes_its_order_before_ordering_reads_its_event(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)
    async with without_events(system):
        async with system.gateway(successRate=0):
            declined = await system.pay(order, reservationId=seat)
        second = await system.pay(order, reservationId=seat, paymentMethod="wallet")
        strangers = await system.pay(order, customerId=STRANGER)
        ordered = await system.ordered(order)

    assert ordered is not None
    assert ordered["status"] == "pending"
    assert (strangers.status, strangers.body["code"]) == (401, "CUSTOMER_MISMATCH")
    await assert_closed(system, order, declined, second)


async def test_a_failure_closes_its_order_before_its_event_is_published(system: System) -> None:
    order = await system.an_order()
    async with system.without("kafka"):
        async with system.gateway(successRate=0):
            declined = await system.pay(order)
        second = await system.pay(order, paymentMethod="wallet")
        [row] = await system.rows(order)

    assert row["announcement"] in {"due", "begun"}
    await system.until_published(order)
    await assert_closed(system, order, declined, second)


@pytest.mark.proof
async def test_a_success_is_returned_before_its_event_is_published(system: System) -> None:
    order = await system.an_order()
    async with system.without("kafka"):
        answer = await system.pay(order)
        [row] = await system.rows(order)

    assert (answer.status, row["status"], row["announcement"]) == (200, "succeeded", "begun")
    await system.until_published(order)
    await assert_agreement(system, order, answer)
    assert violations(await books_of(system, order)) == []


async def assert_closed(system: System, order: Order, declined: Answer, second: Answer) -> None:
    """Check that the second payment was refused, without a capture, and the order is cancelled."""
    assert (declined.status, declined.body["code"]) == (422, "CARD_DECLINED")
    assert declined.body["errorMessage"].endswith(NEW_ORDER)
    assert (second.status, second.body["code"]) == (400, "ORDER_NOT_PENDING")
    assert second.body["errorMessage"].endswith("Place a new order.")
    assert [charge["state"] for charge in await system.charges(order)] == ["declined"]
    await assert_agreement(system, order, second)
    assert violations(await books_of(system, order)) == []


@asynccontextmanager
async def without_events(system: System) -> AsyncIterator[None]:
    """In the block, Ordering is reachable over HTTP but consumes no event."""
    nowhere = {"KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{Ports.free().kafka}"}
    await system.stack.restart("ordering", environment=nowhere)
    try:
        yield
    finally:
        await system.stack.restart("ordering", environment={})
