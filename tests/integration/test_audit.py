"""The audit reads the real books, agrees with what is right, and notices what is not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from audit.__main__ import SETTLED_AFTER, open_sources, read_settled
from audit.invariants import violations
from audit.sources import UnreadableError, read_books
from tests.integration.agreement import assert_agreement, books_of
from tests.integration.shop import Shop
from tests.stacks import settings_of

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("amount", ["150.00", "150.13"])
async def test_the_books_of_a_payment_agree(shop: Shop, amount: str) -> None:
    order = await shop.an_order(amount)
    await assert_agreement(shop, order, await shop.pay(order))

    books = await books_of(shop, order)

    assert len(books.payments) == len(books.records) == len(books.sagas) == 1
    assert violations(books) == []
    books.effects.clear()
    assert bool(violations(books)) is (amount == "150.00"), "a capture that is gone is noticed"


async def test_young_payments_are_left_out(shop: Shop) -> None:
    order = await shop.an_order()
    await shop.pay(order)
    now = datetime.now(UTC)

    books = await read_settled(settings_of(shop.stack), now - HOUR, now - SETTLED_AFTER)

    assert UUID(order.id) not in {each.order_id for each in books}


async def test_a_source_that_is_down_is_named(shop: Shop) -> None:
    async with shop.without("gateway"), open_sources(settings_of(shop.stack)) as sources:
        with pytest.raises(UnreadableError, match="gateway's ledger cannot be read"):
            await read_books(sources, datetime.now(UTC))
