"""The audit reads the real books. It finds nothing in correct books, and finds mistakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.adapters.kafka_records import KafkaRecords
from audit.__main__ import MIN_AGE, open_sources, read_ended
from audit.invariants import violations
from audit.sources import UnreadableError, read_books
from db.audit import AuditQueries
from db.engine import create_engine
from db.payments import PaymentStore
from db.refunds import RefundStore
from tests.support.agreement import assert_agreement, books_of
from tests.support.builders import HOUR, a_payment, a_refund
from tests.support.stacks import kafka_of, settings_of
from tests.support.system import System


@pytest.mark.parametrize("amount", ["150.00", "150.13"])
async def test_the_books_of_a_payment_agree(system: System, amount: str) -> None:
    order = await system.an_order(amount)
    await assert_agreement(system, order, await system.pay(order))

    books = await books_of(system, order)

    assert len(books.payments) == len(books.records) == len(books.runs) == 1
    assert violations(books) == []
    books.effects.clear()
    assert bool(violations(books)) is (amount == "150.00"), "a capture that is gone is noticed"


async def test_young_payments_are_left_out(system: System) -> None:
    order = await system.an_order()
    await system.pay(order)
    now = datetime.now(UTC)

    books = await read_ended(settings_of(system.stack), now - HOUR, now - MIN_AGE)

    assert UUID(order.id) not in {each.order_id for each in books}


async def test_a_source_that_is_down_is_named(system: System) -> None:
    async with system.without("gateway"), open_sources(settings_of(system.stack)) as sources:
        with pytest.raises(UnreadableError, match="gateway's ledger cannot be read"):
            await anext(read_books(sources, datetime.now(UTC)))


async def test_what_is_unfinished_or_refunded_is_read_however_old(system: System) -> None:
    now = datetime.now(UTC)
    stuck = a_payment(created_at=now - 25 * HOUR)
    old, paid, given_back = (a_payment(created_at=now - 25 * HOUR) for _ in range(3))
    async with open_engine(system) as engine:
        payments, refunds = PaymentStore(engine), RefundStore(engine)
        await payments.record_pending(stuck)
        for each in (old, paid, given_back):
            await payments.record_pending(each)
            success = each.succeeded(each.created_at)
            await payments.record_succeeded(success)
            await payments.record_announcement(success.announced())
        pending, ended = (
            a_refund(each.succeeded(now).announced(), created_at=now - HOUR)
            for each in (paid, given_back)
        )
        for refund in (pending, ended):
            await refunds.record_pending(refund)
        await refunds.record_ended(ended.succeeded(now - HOUR))
        await refunds.record_announced(ended)

        books = await read_ended(settings_of(system.stack), now - 24 * HOUR, now)

    found = {each.order_id: str(violations(each)) for each in books}
    assert f"payment {stuck.id} is pending" in found[stuck.order_id]
    assert f"refund {pending.id} is pending" in found[paid.order_id]
    assert "0 is kept instead of 10000" in found[given_back.order_id]
    assert old.order_id not in found, "it has ended, and nothing happened since"
    assert books[-1].reconciliation is not None


async def test_unfinished_payments_are_read_page_by_page(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.audit.PAGE_SIZE", 2)
    created_at = datetime.now(UTC) - 30 * HOUR
    async with open_engine(system) as engine:
        payments, database = PaymentStore(engine), AuditQueries(engine)
        recorded = [a_payment(created_at=created_at) for _ in range(5)]
        for each in recorded:
            await payments.record_pending(each)

        unfinished = await database.unfinished()
        since = await database.orders_since(created_at)

    assert {each.id for each in recorded} <= unfinished.ids
    assert {each.order_id for each in recorded} <= unfinished.orders & since


async def test_old_records_are_kept_only_of_the_orders_that_matter(system: System) -> None:
    wanted, others = await system.an_order(), await system.an_order()
    for order in (wanted, others):
        await assert_agreement(system, order, await system.pay(order))
    later = datetime.now(UTC) + HOUR

    records = KafkaRecords(kafka_of(system.stack))
    found, is_complete = await records.find(later, {wanted.id})
    every, _ = await records.find(datetime.now(UTC) - HOUR, set())

    assert is_complete
    assert found.keys() == {wanted.id}
    assert {wanted.id, others.id} <= every.keys()
    assert every[wanted.id] == found[wanted.id]


@asynccontextmanager
async def open_engine(system: System) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(system.stack.environment()["DATABASE_URL"], application_name="tests")
    try:
        yield engine
    finally:
        await engine.dispose()
