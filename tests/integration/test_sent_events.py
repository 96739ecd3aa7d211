"""A success whose event may have been sent stands, unless the first try says that it was not sent.

The fake and PostgreSQL agree; PostgreSQL refuses it also to workers of the version before.
"""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from db.payments import PaymentStore
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.support.builders import DECLINED, NOON, a_payment
from tests.support.recorded import REFUSAL, Stores


async def a_success(stores: Stores) -> Payment:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    success = payment.succeeded(NOON, may_be_sent=True)
    assert await stores.payments.record_succeeded(success) is None
    return success


async def test_a_success_that_was_recorded_before_is_returned_as_it_is_recorded(
    stores: Stores,
) -> None:
    success = await a_success(stores)
    again = success.model_copy(update={"processed_at": NOON + timedelta(seconds=10)})

    assert await stores.payments.record_succeeded(again) == success


async def test_what_may_have_been_sent_stands(stores: Stores) -> None:
    success = await a_success(stores)

    stands = await stores.payments.record_compensation(success.compensating(REFUSAL))

    assert stands == success.announced(Announcement.BEGUN)
    assert await stores.payments.find(success.id) == stands


async def test_what_may_have_been_sent_does_not_fail(stores: Stores) -> None:
    success = await a_success(stores)

    with pytest.raises(PaymentError) as refused:
        await stores.payments.record_failed(success.failed(DECLINED, NOON))

    assert refused.value.code is ErrorCode.RECORD_REFUSED
    assert await stores.payments.find(success.id) == success


async def test_what_was_surely_not_sent_can_be_undone(stores: Stores) -> None:
    success = await a_success(stores)

    assert await stores.payments.record_unsent(success)

    undone = await stores.payments.record_compensation(success.compensating(REFUSAL))
    assert undone == success.compensating(REFUSAL).model_copy(update={"may_be_sent": False})
    await stores.payments.record_failed(undone.failed(REFUSAL, NOON))
    assert await stores.payments.find(success.id) == undone.failed(REFUSAL, NOON)


async def test_once_another_try_has_begun_nobody_can_say_that_nothing_was_sent(
    stores: Stores,
) -> None:
    success = await a_success(stores)
    await stores.payments.record_announcement(success.announced(Announcement.BEGUN))

    assert not await stores.payments.record_unsent(success)

    stands = success.announced(Announcement.BEGUN)
    assert await stores.payments.record_compensation(success.compensating(REFUSAL)) == stands


@pytest.mark.parametrize(
    "change", ["status = 'failed', announcement = 'none'", "compensation_code = 'CARD_DECLINED'"]
)
async def test_postgresql_refuses_to_undo_what_may_have_been_sent(
    engine: AsyncEngine, change: str
) -> None:
    """As a worker of the version before would, which does not know the column."""
    payment = a_payment()
    store = PaymentStore(engine)
    await store.record_pending(payment)
    await store.record_succeeded(payment.succeeded(NOON, may_be_sent=True))

    async with engine.connect() as connection:
        with pytest.raises(IntegrityError, match="may have been sent"):
            await connection.execute(
                text(f"UPDATE bc_payment.payments SET {change} WHERE id = :id"),  # noqa: S608
                {"id": payment.id},
            )
