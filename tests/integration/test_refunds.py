"""Refunds on the running system never exceed the capture, and are published."""

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
from tests.support.replica import another_api
from tests.support.system import Order, System
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


async def paid(system: System, amount: str = "150.00") -> tuple[Order, str]:
    order = await system.an_order(amount)
    return order, (await system.pay(order)).payment["id"]


async def assert_kept(system: System, order: Order, amount: str) -> None:
    [charge] = await system.charges(order)
    assert charge["amount"] - charge["refundedAmount"] == Decimal(amount)
    assert violations(await books_of(system, order)) == []


async def test_a_payment_is_refunded_in_parts(system: System) -> None:
    order, payment_id = await paid(system)

    part = await system.refund(payment_id, "49.99", "part")
    rest = await system.refund(payment_id, "100.01", "rest")
    more = await system.refund(payment_id, "0.01", "more")

    assert [each.status for each in (part, rest, more)] == [201, 201, 422]
    assert more.body["code"] == "REFUND_TOO_LARGE"
    assert (await system.get(part.headers["location"])).body["refund"] == part.body["refund"]
    shown = (await system.get(f"/payments/{payment_id}/refunds")).body["refunds"]
    assert shown == [part.body["refund"], rest.body["refund"]]
    topics = Counter(each.topic for each in await system.events(order))
    assert topics == {TOPIC_SUCCEEDED: 1, TOPIC_REFUNDED: 2}
    await assert_kept(system, order, "0.00")
    assert (await system.get(f"/payments/{payment_id}")).payment["status"] == "succeeded"

    async def both_refunded() -> bool:
        state: Any = await system.ordered(order)
        return (state["status"], state["refundedAmount"]) == ("paid", Decimal("150.00"))

    await eventually("Ordering knows of both refunds", both_refunded)


async def test_concurrent_refunds_give_back_no_more_than_was_captured(system: System) -> None:
    order, payment_id = await paid(system)

    asked = (system.refund(payment_id, "20.00", f"key {number}") for number in range(20))
    answers = await asyncio.gather(*asked)

    assert Counter(answer.body.get("code") for answer in answers) == {
        None: 7,
        "REFUND_TOO_LARGE": 13,
    }
    await assert_kept(system, order, "10.00")


async def test_refund_that_is_repeated_is_made_once(system: System) -> None:
    order, payment_id = await paid(system)

    answers = await asyncio.gather(*(system.refund(payment_id, None, "key") for _ in range(5)))
    later = await system.refund(payment_id, None, "key")
    other = await system.refund(payment_id, "1.00", "key")

    assert {answer.text for answer in (*answers, later)} == {later.text}
    assert later.headers["idempotent-replayed"] == "true"
    assert (later.status, other.body["code"]) == (201, "IDEMPOTENCY_KEY_REUSED")
    await assert_kept(system, order, "0.00")


async def test_refund_waits_for_the_gateway(system: System) -> None:
    order, payment_id = await paid(system)
    async with another_api(system, payment_wait_seconds=60) as patient:
        async with system.without("gateway", killed=True):
            making = asyncio.create_task(patient.refund(payment_id, "1.00", "key"))
            recorded = "SELECT status FROM bc_payment.refunds WHERE payment_id = $1"
            await eventually(
                "the refund is recorded", lambda: system.database.fetchval(recorded, payment_id)
            )
        made = await making

    assert made.status == 201
    await assert_kept(system, order, "149.00")


@pytest.mark.parametrize("amount", ["150.13", None])
async def test_a_payment_without_a_capture_is_not_refunded(
    system: System, amount: str | None
) -> None:
    if amount is None:
        answer = await system.refund(str(uuid4()), None, "key")
    else:
        answer = await system.refund((await paid(system, amount))[1], None, "key")

    code = "PAYMENT_NOT_FOUND" if amount is None else "PAYMENT_NOT_REFUNDABLE"
    assert answer.body["code"] == code


@pytest.mark.parametrize("amount", [5001, 0, -1])
async def test_the_database_refuses_refunds_over_the_capture(system: System, amount: int) -> None:
    _, payment_id = await paid(system)
    await system.database.execute(INSERT, uuid4(), payment_id, 10000)

    with pytest.raises(asyncpg.CheckViolationError):
        await system.database.execute(INSERT, uuid4(), payment_id, amount)


async def test_the_database_adds_up_concurrent_refunds_one_after_the_other(system: System) -> None:
    _, payment_id = await paid(system)
    async with system.database.acquire() as first, system.database.acquire() as second:
        async with first.transaction():
            await first.execute(INSERT, uuid4(), payment_id, 10000)
            waiting = asyncio.create_task(second.execute(INSERT, uuid4(), payment_id, 10000))
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            assert not done
        with pytest.raises(asyncpg.CheckViolationError):
            await waiting


async def test_the_database_refuses_a_refund_of_a_failure(system: System) -> None:
    _, payment_id = await paid(system, "150.13")

    with pytest.raises(asyncpg.CheckViolationError):
        await system.database.execute(INSERT, uuid4(), payment_id, 1)


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ("succeeded", "failed", 0),
        ("failed", "succeeded", 0),
        ("failed", "pending", 0),
        ("pending", "pending", 1),
    ],
)
async def test_the_database_changes_no_refund_that_has_ended(
    system: System, before: str, after: str, more: int
) -> None:
    _, payment_id = await paid(system)
    refund_id = uuid4()
    await system.database.execute(INSERT, refund_id, payment_id, 15000)
    await system.database.execute(CHANGE, refund_id, before, 0)

    with pytest.raises(asyncpg.CheckViolationError):
        await system.database.execute(CHANGE, refund_id, after, more)
