"""What is not finished is counted in PostgreSQL, with the age of the oldest.

The rows of these tests are older than those of all others, and are finished at the end of each.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from db.backlog import BacklogCounts
from db.payments import PaymentStore
from db.refunds import RefundStore
from domain.backlog import Unfinished, UnfinishedKind
from domain.customer_action import Wait
from domain.payment import Payment
from tests.support.builders import DECLINED, a_payment, a_refund

DAY = timedelta(days=1)
LONG_AGO = datetime.now(UTC) - 9000 * DAY


async def counts(engine: AsyncEngine, kind: UnfinishedKind) -> Unfinished:
    found = {each.kind: each for each in await BacklogCounts(engine).read()}
    assert found.keys() == set(UnfinishedKind)
    return found[kind]


async def began(engine: AsyncEngine, kind: UnfinishedKind) -> datetime:
    """When the oldest of this kind became unfinished."""
    found = await counts(engine, kind)
    assert (found.number > 0) is (found.age > timedelta())
    return datetime.now(UTC) - found.age


def is_at(found: datetime, moment: datetime) -> bool:
    return abs(found - moment) < timedelta(minutes=10)


async def a_success(store: PaymentStore) -> Payment:
    payment = a_payment(created_at=LONG_AGO)
    await store.record_pending(payment)
    succeeded = payment.succeeded(LONG_AGO + DAY)
    await store.record_succeeded(succeeded)
    return succeeded


async def test_a_pending_payment_is_unfinished_since_its_creation(
    engine: AsyncEngine, store: PaymentStore
) -> None:
    payment = a_payment(created_at=LONG_AGO)
    await store.record_pending(payment)

    assert is_at(await began(engine, UnfinishedKind.PENDING), LONG_AGO)

    await store.record_failed(payment.failed(DECLINED, LONG_AGO))
    assert not is_at(await began(engine, UnfinishedKind.PENDING), LONG_AGO)


async def test_a_payment_that_waits_for_its_customer_is_not_counted_until_the_wait_has_ended(
    engine: AsyncEngine, store: PaymentStore
) -> None:
    numbers = [(await counts(engine, UnfinishedKind.PENDING)).number]
    waiting, ended = (a_payment(created_at=LONG_AGO) for _ in range(2))
    waits = {waiting: datetime.now(UTC) + DAY, ended: LONG_AGO + DAY}
    for payment, until in waits.items():
        await store.record_pending(payment)
        await store.record_reference(payment.id, f"pi_{payment.id}")
        await store.record_wait(payment.id, Wait(since=LONG_AGO, until=until))

    assert is_at(await began(engine, UnfinishedKind.PENDING), LONG_AGO + DAY)

    numbers.append((await counts(engine, UnfinishedKind.PENDING)).number)
    for payment in waits:
        await store.record_failed(payment.failed(DECLINED, LONG_AGO))
    numbers.append((await counts(engine, UnfinishedKind.PENDING)).number)
    before, meanwhile, after = numbers
    assert 1 in {meanwhile - before, meanwhile - after}  # a payment of another test may end


async def test_an_unpublished_payment_is_unfinished_since_its_end(
    engine: AsyncEngine, store: PaymentStore
) -> None:
    payment = await a_success(store)

    assert is_at(await began(engine, UnfinishedKind.UNPUBLISHED), LONG_AGO + DAY)

    await store.record_announcement(payment.announced())
    assert not is_at(await began(engine, UnfinishedKind.UNPUBLISHED), LONG_AGO + DAY)


async def test_a_refund_is_unfinished_until_it_is_published(
    engine: AsyncEngine, store: PaymentStore
) -> None:
    payment = (await a_success(store)).announced()
    await store.record_announcement(payment)
    refunds = RefundStore(engine)
    refund = a_refund(payment, "1.00", created_at=LONG_AGO)
    await refunds.record_pending(refund)
    assert is_at(await began(engine, UnfinishedKind.REFUNDS), LONG_AGO)

    accepted = refund.referring("re_1")
    await refunds.record_reference(accepted)
    assert is_at(await began(engine, UnfinishedKind.REFUNDS_AT_GATEWAY), LONG_AGO)
    assert not is_at(await began(engine, UnfinishedKind.REFUNDS), LONG_AGO)

    made = accepted.succeeded(LONG_AGO + DAY)
    await refunds.record_ended(made)
    assert not is_at(await began(engine, UnfinishedKind.REFUNDS_AT_GATEWAY), LONG_AGO)
    assert is_at(await began(engine, UnfinishedKind.REFUNDS), LONG_AGO + DAY)

    await refunds.record_announced(made)
    assert not is_at(await began(engine, UnfinishedKind.REFUNDS), LONG_AGO + DAY)
