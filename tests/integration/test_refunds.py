"""Refunds on the running system: never more than was captured, and known to everybody."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from audit.invariants import violations
from domain.names import TOPIC_REFUNDED, TOPIC_SUCCEEDED
from tests.support.agreement import books_of
from tests.support.shop import Order, Shop
from tests.support.waiting import eventually

INSERT = """
    INSERT INTO bc_payment.refunds (id, payment_id, amount_minor, status, created_at)
    VALUES ($1, $2, $3, 'pending', now())
"""
CHANGE = """
    UPDATE bc_payment.refunds SET status = $2, amount_minor = amount_minor + $3,
        processed_at = CASE WHEN $2 <> 'pending' THEN now() END,
        error_code = CASE WHEN $2 = 'failed' THEN 'REFUND_REFUSED' END
    WHERE id = $1
"""


async def paid(shop: Shop, amount: str = "150.00") -> tuple[Order, str]:
    order = await shop.an_order(amount)
    return order, (await shop.pay(order)).payment["id"]


async def assert_kept(shop: Shop, order: Order, amount: str) -> None:
    [charge] = await shop.charges(order)
    assert charge["amount"] - charge["refundedAmount"] == Decimal(amount)
    assert violations(await books_of(shop, order)) == []


async def test_payment_is_given_back_in_parts(shop: Shop) -> None:
    order, payment_id = await paid(shop)

    part = await shop.refund(payment_id, "49.99", "part")
    rest = await shop.refund(payment_id, "100.01", "rest")
    more = await shop.refund(payment_id, "0.01", "more")

    assert [each.status for each in (part, rest, more)] == [201, 201, 422]
    assert more.body["code"] == "REFUND_TOO_LARGE"
    assert (await shop.get(part.headers["location"])).body["refund"] == part.body["refund"]
    shown = (await shop.get(f"/payments/{payment_id}/refunds")).body["refunds"]
    assert shown == [part.body["refund"], rest.body["refund"]]
    topics = Counter(each.topic for each in await shop.events(order))
    assert topics == {TOPIC_SUCCEEDED: 1, TOPIC_REFUNDED: 2}
    await assert_kept(shop, order, "0.00")
    assert (await shop.get(f"/payments/{payment_id}")).payment["status"] == "succeeded"

    async def heard() -> bool:
        told: Any = await shop.ordered(order)
        return (told["status"], told["refundedAmount"]) == ("paid", Decimal("150.00"))

    await eventually("Ordering knows of both refunds", heard)


async def test_refunds_at_once_give_back_no_more_than_was_captured(shop: Shop) -> None:
    order, payment_id = await paid(shop)

    asked = (shop.refund(payment_id, "20.00", f"key {number}") for number in range(20))
    answers = await asyncio.gather(*asked)

    assert Counter(answer.body.get("code") for answer in answers) == {
        None: 7,
        "REFUND_TOO_LARGE": 13,
    }
    await assert_kept(shop, order, "10.00")


async def test_refund_that_is_repeated_is_made_once(shop: Shop) -> None:
    order, payment_id = await paid(shop)

    answers = await asyncio.gather(*(shop.refund(payment_id, None, "key") for _ in range(5)))
    later = await shop.refund(payment_id, None, "key")
    other = await shop.refund(payment_id, "1.00", "key")

    assert {answer.text for answer in (*answers, later)} == {later.text}
    assert later.headers["idempotent-replayed"] == "true"
    assert (later.status, other.body["code"]) == (201, "IDEMPOTENCY_KEY_REUSED")
    await assert_kept(shop, order, "0.00")


async def test_refund_waits_for_the_gateway(shop: Shop) -> None:
    order, payment_id = await paid(shop)
    async with shop.without("gateway", killed=True):
        making = asyncio.create_task(shop.refund(payment_id, "1.00", "key"))
        recorded = "SELECT status FROM bc_payment.refunds WHERE payment_id = $1"
        await eventually(
            "the refund is recorded", lambda: shop.database.fetchval(recorded, payment_id)
        )

    assert (await making).status == 201
    await assert_kept(shop, order, "149.00")


@pytest.mark.parametrize("amount", ["150.13", None])
async def test_payment_that_took_nothing_gives_nothing_back(shop: Shop, amount: str | None) -> None:
    if amount is None:
        answer = await shop.refund(str(uuid4()), None, "key")
    else:
        answer = await shop.refund((await paid(shop, amount))[1], None, "key")

    code = "PAYMENT_NOT_FOUND" if amount is None else "PAYMENT_NOT_REFUNDABLE"
    assert answer.body["code"] == code


@pytest.mark.parametrize("amount", [5001, 0, -1])
async def test_database_gives_no_more_back_than_was_captured(shop: Shop, amount: int) -> None:
    _, payment_id = await paid(shop)
    await shop.database.execute(INSERT, uuid4(), payment_id, 10000)

    with pytest.raises(asyncpg.CheckViolationError):
        await shop.database.execute(INSERT, uuid4(), payment_id, amount)


async def test_database_counts_refunds_of_a_payment_one_after_the_other(shop: Shop) -> None:
    _, payment_id = await paid(shop)
    async with shop.database.acquire() as first, shop.database.acquire() as second:
        async with first.transaction():
            await first.execute(INSERT, uuid4(), payment_id, 10000)
            waiting = asyncio.create_task(second.execute(INSERT, uuid4(), payment_id, 10000))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        with pytest.raises(asyncpg.CheckViolationError):
            await waiting


async def test_database_gives_nothing_back_of_a_failure(shop: Shop) -> None:
    _, payment_id = await paid(shop, "150.13")

    with pytest.raises(asyncpg.CheckViolationError):
        await shop.database.execute(INSERT, uuid4(), payment_id, 1)


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ("succeeded", "failed", 0),
        ("failed", "succeeded", 0),
        ("failed", "pending", 0),
        ("pending", "pending", 1),
    ],
)
async def test_database_changes_no_refund_that_has_ended(
    shop: Shop, before: str, after: str, more: int
) -> None:
    _, payment_id = await paid(shop)
    refund_id = uuid4()
    await shop.database.execute(INSERT, refund_id, payment_id, 15000)
    await shop.database.execute(CHANGE, refund_id, before, 0)

    with pytest.raises(asyncpg.CheckViolationError):
        await shop.database.execute(CHANGE, refund_id, after, more)
