"""The audit reads the real books, agrees with what is right, and notices what is not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from audit.__main__ import _sources
from audit.invariants import violations
from audit.sources import read_books
from tests.integration.agreement import assert_agreement
from tests.integration.replica import settings_of
from tests.integration.shop import Shop

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("amount", ["150.00", "150.13"])
async def test_the_books_of_a_payment_agree(shop: Shop, amount: str) -> None:
    order = await shop.an_order(amount)
    await assert_agreement(shop, order, await shop.pay(order))

    async with _sources(settings_of(shop)) as sources:
        books = (await read_books(sources, datetime.now(UTC) - HOUR))[UUID(order.id)]

    assert len(books.payments) == len(books.records) == len(books.sagas) == 1
    assert violations(books) == []
    books.effects.clear()
    assert bool(violations(books)) is (amount == "150.00"), "a capture that is gone is noticed"
