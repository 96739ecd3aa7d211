"""Customers who act in a browser, in the whole system.

The steps are those of `test_shop_customer.py`, whose payment service is a fake.
"""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.integration.test_operator_view import details_of
from tests.integration.test_shop_customer import AT_BANK, HOSTED, WAITS, assert_back, place
from tests.integration.test_timeline import timeline_of
from tests.support.shop_page import ShopPage
from tests.support.stripe_system import AtStripe, at_stripe, attempts, customer, ended
from tests.support.system import System

pytestmark = pytest.mark.proof  # half a minute, most of it for Chromium and a service of its own


@pytest.fixture(scope="module")
async def shop(system: System) -> AsyncIterator[AtStripe]:
    async with at_stripe(system) as found:
        yield found


@pytest.fixture
async def shop_page(browser: Browser, shop: AtStripe) -> AsyncIterator[ShopPage]:
    async with customer(browser, shop) as shop_page:
        yield shop_page


async def test_a_customer_who_confirms_has_paid_once(shop_page: ShopPage, system: System) -> None:
    await place(shop_page, AT_BANK)
    await shop_page.page.get_by_role("button", name="Confirm", exact=True).click()

    await expect(shop_page.state).to_have_text("Paid")
    await assert_back(shop_page.page)
    order = await shop_page.ordered()
    row = await ended(system, order)
    assert (row["status"], row["gateway"]) == ("succeeded", "stripe")
    assert await attempts(system.stack, system.neighbours, order) == ["captured"]


async def test_a_customer_who_does_not_confirm_has_not_paid(
    shop_page: ShopPage, system: System
) -> None:
    await place(shop_page, AT_BANK)
    await shop_page.button("Do not confirm").click()

    await expect(shop_page.state).to_contain_text("Not paid")
    row = await ended(system, await shop_page.ordered())
    assert (row["status"], row["error_code"]) == ("failed", "INVALID_CARD")


async def test_another_card_pays_the_same_payment(shop_page: ShopPage, system: System) -> None:
    await place(shop_page, HOSTED)
    for card in ("A card that is declined", "A card that pays"):
        await shop_page.page.get_by_label(card).check()
        await shop_page.button("Pay 150.00 USD").click()

    await expect(shop_page.state).to_have_text("Paid")
    order = await shop_page.ordered()
    await ended(system, order)
    assert await attempts(system.stack, system.neighbours, order) == ["captured"]


async def test_a_waiting_payment_is_cancelled_by_its_customer(
    shop_page: ShopPage, system: System
) -> None:
    await place(shop_page, HOSTED)
    await shop_page.page.get_by_role("link", name="Back to the shop").click()
    await expect(shop_page.state).to_contain_text(WAITS)
    order = await shop_page.ordered()
    [row] = await system.rows(order)
    details = await details_of(system, order)
    assert f"has time until {row['waits_until']:%Y-%m-%d %H:%M:%S} UTC" in details
    timeline = await timeline_of(system, row["id"])
    assert "payment waits for its customer" in [each["event"] for each in timeline]
    assert "/c/pay/" not in details + str(timeline)

    await shop_page.button("Cancel").click()

    await expect(shop_page.state).to_contain_text("Not paid")
    row = await ended(system, order)
    assert row["error_code"] == "PAYMENT_CANCELLED"
    assert await attempts(system.stack, system.neighbours, order) == ["voided"]


async def test_two_tabs_pay_once(shop_page: ShopPage, system: System) -> None:
    await place(shop_page, AT_BANK)
    bank = shop_page.page.url
    second = await shop_page.page.context.new_page()
    await second.goto(bank)
    await second.get_by_role("button", name="Confirm", exact=True).click()
    await shop_page.page.get_by_role("button", name="Confirm", exact=True).click()

    await expect(shop_page.state).to_have_text("Paid")
    await expect(second.get_by_role("status")).to_have_text("Paid")
    order = await shop_page.ordered()
    assert await attempts(system.stack, system.neighbours, order) == ["captured"]


async def test_a_customer_who_never_acts_has_not_paid(browser: Browser, system: System) -> None:
    async with (
        at_stripe(system, customer_action_seconds=60) as shop,
        customer(browser, shop) as shop_page,
    ):
        await place(shop_page, HOSTED)
        await shop_page.page.get_by_role("link", name="Back to the shop").click()
        await expect(shop_page.state).to_contain_text(WAITS)
        # CUSTOMER_ACTION_SECONDS is 60 at least
        await expect(shop_page.state).to_contain_text("Not paid", timeout=90_000)
        row = await ended(system, await shop_page.ordered())
        assert row["error_code"] == "PROCESSOR_TIMEOUT"
