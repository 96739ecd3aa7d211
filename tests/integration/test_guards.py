"""What PostgreSQL itself refuses: claims of a closed order, and successes of undone payments."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db import paging
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment, PaymentStatus
from tests.support.builders import DECLINED, NOON, a_payment
from tests.support.system import System
from tests.support.waiting import eventually

BLOCKED = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
    )
"""
MANY = """
    INSERT INTO bc_payment.payments (id, order_id, customer_id, amount_minor, currency,
        currency_exponent, payment_method, status, created_at, is_simulated)
    SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 15000, 'USD', 2, 'credit_card',
        'pending', $1, true FROM generate_series(1, $2::integer)
    RETURNING id
"""
REFUSED = PaymentError(ErrorCode.EVENT_REFUSED, "Kafka has no topic.")


async def a_failure(store: PaymentStore, announcement: Announcement) -> Payment:
    """Record a failed payment whose event has this announcement."""
    payment = a_payment()
    await store.record_pending(payment)
    failed = payment.failed(DECLINED, NOON, Announcement.DUE)
    await store.record_failed(failed)
    await store.record_announcement(failed.announced(announcement))
    return failed.announced(announcement)


async def refusal_of(store: PaymentStore, payment: Payment) -> ErrorCode:
    with pytest.raises(PaymentError) as refused:
        await store.record_pending(payment)
    assert await store.find(payment.id) is None
    return refused.value.code


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_a_published_failure_closes_its_order(
    store: PaymentStore, announcement: Announcement
) -> None:
    failed = await a_failure(store, announcement)
    again = a_payment(order_id=failed.order_id, customer_id=failed.customer_id)

    assert await refusal_of(store, again) is ErrorCode.ORDER_NOT_PENDING
    assert await store.find_closing(failed.order_id) == failed
    stranger = a_payment(order_id=failed.order_id)
    assert await refusal_of(store, stranger) is ErrorCode.CUSTOMER_MISMATCH


async def test_the_failed_payment_itself_finds_its_own_row(store: PaymentStore) -> None:
    failed = await a_failure(store, Announcement.MADE)
    pending = a_payment(id=failed.id, order_id=failed.order_id, customer_id=failed.customer_id)

    assert (await store.record_pending(pending)).payment == failed


async def test_a_success_comes_before_a_failure_of_its_order(
    store: PaymentStore, system: System
) -> None:
    """An earlier version may have left both."""
    failed = await a_failure(store, Announcement.NONE)
    paid = a_payment(order_id=failed.order_id, customer_id=failed.customer_id)
    await store.record_pending(paid)
    await store.record_succeeded(paid.succeeded(NOON))
    await announce(system, failed.id, "begun")
    third = a_payment(order_id=failed.order_id, customer_id=failed.customer_id)

    assert await store.find_closing(failed.order_id) is None
    assert (await store.record_pending(third)).id == paid.id
    assert (await store.record_pending(a_payment(id=failed.id, order_id=failed.order_id))).id == (
        paid.id
    )


async def announce(system: System, payment_id: UUID, announcement: str) -> None:
    await system.database.execute(
        "UPDATE bc_payment.payments SET announcement = $2 WHERE id = $1", payment_id, announcement
    )


async def test_an_order_that_failed_several_times_is_closed(
    store: PaymentStore, system: System
) -> None:
    """An earlier version allowed an attempt after each failure."""
    first = await a_failure(store, Announcement.NONE)
    order = {"order_id": first.order_id, "customer_id": first.customer_id}
    second = a_payment(**order)
    await store.record_pending(second)
    await store.record_failed(second.failed(DECLINED, NOON))
    for each in (first, second):
        await announce(system, each.id, "made")

    assert await refusal_of(store, a_payment(**order)) is ErrorCode.ORDER_NOT_PENDING


async def test_a_claim_that_waits_for_a_failure_sees_it(
    store: PaymentStore, system: System
) -> None:
    """The index makes the claim wait for the row that fails at the same time."""
    payment = a_payment()
    await store.record_pending(payment)
    again = a_payment(order_id=payment.order_id, customer_id=payment.customer_id)
    async with system.database.acquire() as other, other.transaction():
        await other.execute(
            """UPDATE bc_payment.payments SET status = 'failed', error_code = 'CARD_DECLINED',
                processed_at = now(), announcement = 'due' WHERE id = $1""",
            payment.id,
        )
        claiming = asyncio.create_task(refusal_of(store, again))
        await eventually("the claim waits for the row", lambda: other.fetchval(BLOCKED))

    assert await claiming is ErrorCode.ORDER_NOT_PENDING


async def test_another_attempt_is_allowed_when_the_setting_says_so(
    engine: AsyncEngine, store: PaymentStore, system: System
) -> None:
    failed = await a_failure(store, Announcement.MADE)
    order = {"order_id": failed.order_id, "customer_id": failed.customer_id}
    patient = PaymentStore(engine, reattempt_after=timedelta(hours=1))
    assert await refusal_of(patient, a_payment(**order)) is ErrorCode.ORDER_NOT_PENDING

    await system.database.execute(
        """UPDATE bc_payment.payments SET announced_at = now() - interval '2 hours'
            WHERE id = $1""",
        failed.id,
    )
    assert await refusal_of(store, a_payment(**order)) is ErrorCode.ORDER_NOT_PENDING
    assert await patient.find_closing(failed.order_id) is None
    assert (await patient.record_pending(a_payment(**order))).is_new


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN])
async def test_an_unpublished_event_keeps_the_order_closed(
    engine: AsyncEngine, store: PaymentStore, announcement: Announcement
) -> None:
    failed = await a_failure(store, announcement)
    hasty = PaymentStore(engine, reattempt_after=timedelta(0))
    again = a_payment(order_id=failed.order_id, customer_id=failed.customer_id)

    assert await refusal_of(hasty, again) is ErrorCode.ORDER_NOT_PENDING


@pytest.mark.parametrize("status", ["pending", "succeeded"])
async def test_a_payment_that_is_undone_never_succeeds(
    store: PaymentStore, system: System, status: str
) -> None:
    payment = a_payment()
    await store.record_pending(payment)
    if status == "succeeded":
        await store.record_succeeded(payment.succeeded(NOON))

    recorded = await store.record_compensation(payment.compensating(REFUSED))
    again = await store.record_compensation(payment.compensating(DECLINED))

    assert recorded == again
    assert recorded.compensation == payment.compensating(REFUSED).compensation
    assert recorded.as_shown_to_callers.status is PaymentStatus.PENDING
    await store.record_announcement(recorded.announced(Announcement.MADE))
    assert await store.find(payment.id) == recorded
    if status == "pending":
        with pytest.raises(PaymentError):
            await store.record_succeeded(payment.succeeded(NOON))
        with pytest.raises(Exception, match="cannot go from pending to succeeded"):
            await system.database.execute(
                """UPDATE bc_payment.payments SET status = 'succeeded', processed_at = now()
                    WHERE id = $1""",
                payment.id,
            )
    failed = recorded.failed(REFUSED, NOON)
    await store.record_failed(failed)
    assert await store.find(payment.id) == failed


async def test_a_published_success_is_not_undone(store: PaymentStore) -> None:
    payment = a_payment()
    await store.record_pending(payment)
    success = payment.succeeded(NOON)
    await store.record_succeeded(success)
    await store.record_announcement(success.announced(Announcement.BEGUN))

    recorded = await store.record_compensation(success.compensating(REFUSED))

    assert recorded == success.announced(Announcement.BEGUN)


async def test_everything_unfinished_is_read_page_by_page(
    store: PaymentStore, system: System
) -> None:
    long_ago = NOON - timedelta(days=400)
    rows = await system.database.fetch(MANY, long_ago, paging.PAGE_SIZE + 100)

    found = [
        payment.id
        async for page in store.pending_before(long_ago + timedelta(days=1))
        for payment in page
    ]

    assert {row["id"] for row in rows} <= set(found)
    assert len(found) == len(set(found))
    await system.database.execute(
        """UPDATE bc_payment.payments SET status = 'failed', error_code = 'CARD_DECLINED',
            processed_at = now() WHERE created_at = $1""",
        long_ago,
    )


async def test_a_row_that_cannot_be_read_hides_no_others(
    store: PaymentStore, system: System
) -> None:
    odd, other = a_payment(), a_payment()
    for each in (odd, other):
        await store.record_pending(each)
    await system.database.execute(
        "UPDATE bc_payment.payments SET compensation_code = 'CARD_DECLINED' WHERE id = $1", odd.id
    )

    found = [each async for page in store.pending_before(NOON + timedelta(1)) for each in page]

    assert other in found
    assert odd.id not in [each.id for each in found]
    for each in (odd, other):
        await store.record_failed(each.failed(DECLINED, NOON))


async def test_a_completed_round_is_recorded(engine: AsyncEngine) -> None:
    rounds = ReconciliationRounds(engine)

    await rounds.record_completed()
    first = await rounds.last_completed()
    await rounds.record_completed()

    assert first is not None
    assert first < (await rounds.last_completed() or first)
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)


async def test_an_unknown_payment_is_compensated_as_it_is(store: PaymentStore) -> None:
    payment = a_payment(id=uuid4()).compensating(REFUSED)

    assert await store.record_compensation(payment) == payment
