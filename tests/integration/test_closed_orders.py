"""Orders that a failed payment has closed, and payments answered, before the others hear of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.errors import NEW_ORDER
from audit.invariants import violations
from devstack.stack.ports import HOST, Ports
from tests.support.agreement import assert_agreement, books_of
from tests.support.shop import Answer, Order, Shop

STRANGER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


async def test_a_failure_closes_its_order_before_ordering_has_heard_of_it(shop: Shop) -> None:
    order = await shop.an_order()
    seat = await shop.a_seat(order)
    async with without_events(shop):
        async with shop.gateway(successRate=0):
            declined = await shop.pay(order, reservationId=seat)
        second = await shop.pay(order, reservationId=seat, paymentMethod="wallet")
        strangers = await shop.pay(order, customerId=STRANGER)
        ordered = await shop.ordered(order)

    assert ordered is not None
    assert ordered["status"] == "pending"
    assert (strangers.status, strangers.body["code"]) == (401, "CUSTOMER_MISMATCH")
    await assert_closed(shop, order, declined, second)


async def test_a_failure_closes_its_order_before_its_event_is_out(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.without("kafka"):
        async with shop.gateway(successRate=0):
            declined = await shop.pay(order)
        second = await shop.pay(order, paymentMethod="wallet")
        [row] = await shop.rows(order)

    assert row["announcement"] in {"due", "begun"}
    await shop.until_published(order)
    await assert_closed(shop, order, declined, second)


async def test_a_success_is_answered_before_its_event_is_out(shop: Shop) -> None:
    order = await shop.an_order()
    async with shop.without("kafka"):
        answer = await shop.pay(order)
        [row] = await shop.rows(order)

    assert (answer.status, row["status"], row["announcement"]) == (200, "succeeded", "begun")
    await shop.until_published(order)
    await assert_agreement(shop, order, answer)
    assert violations(await books_of(shop, order)) == []


async def assert_closed(shop: Shop, order: Order, declined: Answer, second: Answer) -> None:
    """The second payment was refused, nothing is captured, and the order comes to be cancelled."""
    assert (declined.status, declined.body["code"]) == (422, "CARD_DECLINED")
    assert declined.body["errorMessage"].endswith(NEW_ORDER)
    assert (second.status, second.body["code"]) == (400, "ORDER_NOT_PENDING")
    assert second.body["errorMessage"].endswith("Place a new order.")
    assert [charge["state"] for charge in await shop.charges(order)] == ["declined"]
    await assert_agreement(shop, order, second)
    assert violations(await books_of(shop, order)) == []


@asynccontextmanager
async def without_events(shop: Shop) -> AsyncIterator[None]:
    """An Ordering that is served as ever, and hears of no event until the end."""
    nowhere = {"KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{Ports.free().kafka}"}
    await shop.stack.restart("ordering", environment=nowhere)
    try:
        yield
    finally:
        await shop.stack.restart("ordering", environment={})
