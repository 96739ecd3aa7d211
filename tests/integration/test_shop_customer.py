"""The shop's pages when a payment waits for its customer: at the bank, and on Stripe's own page."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from devstack.stack.stack import Stack
from tests.support.shop_page import ShopPage
from tests.support.stripe_shop import FakeService, customer, shop_at_stripe

AT_BANK, HOSTED = "Ticket, confirmed at the bank", "Ticket, paid on Stripe's page"
CLEAN = re.compile(r"/payment\?(order|payment)=[0-9a-f-]+$")
WAITS = "The payment waits for you"


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with shop_at_stripe(tmp_path_factory.mktemp("shop")) as stack:
        yield stack


@pytest.fixture
async def met(browser: Browser, shop: Stack) -> AsyncIterator[tuple[ShopPage, FakeService]]:
    async with customer(browser, shop) as met:
        yield met


async def place(shop_page: ShopPage, title: str) -> None:
    """Place the order, and wait for the page on which the customer acts."""
    await shop_page.open()
    await shop_page.page.get_by_role("radio", name=title).check()
    await shop_page.page.get_by_role("checkbox").set_checked(False)
    await shop_page.button("Pay").click()
    heading = "Checkout" if title == HOSTED else "Confirm the payment"
    await expect(shop_page.page.get_by_text("no money moves").first).to_be_visible()
    await expect(shop_page.page).to_have_title(f"{heading} | Stripe double")


async def assert_back(page: Page) -> None:
    """Check that the shop's page is open, without the parameters that Stripe adds to its URL."""
    await expect(page).to_have_url(CLEAN)


async def test_a_customer_confirms_at_the_bank(met: tuple[ShopPage, FakeService]) -> None:
    shop_page, service = met
    await place(shop_page, AT_BANK)
    await shop_page.assert_accessible()

    await shop_page.page.get_by_role("button", name="Confirm", exact=True).click()

    await expect(shop_page.state).to_have_text("Paid")
    await assert_back(shop_page.page)
    assert (await service.intent()).status == "requires_capture"


async def test_a_customer_who_does_not_confirm_has_not_paid(
    met: tuple[ShopPage, FakeService],
) -> None:
    shop_page, _ = met
    await place(shop_page, AT_BANK)

    await shop_page.button("Do not confirm").click()

    await expect(shop_page.state).to_contain_text("Not paid")
    await expect(shop_page.button("Place a new order")).to_be_visible()
    await assert_back(shop_page.page)


async def test_another_card_can_be_tried_on_stripes_page(
    met: tuple[ShopPage, FakeService],
) -> None:
    shop_page, _ = met
    page = shop_page.page
    await place(shop_page, HOSTED)
    await shop_page.assert_accessible()

    await page.get_by_label("A card that is declined").check()
    await shop_page.button("Pay 150.00 USD").click()
    await expect(shop_page.trouble).to_have_text("Your card was declined.")
    await shop_page.assert_accessible()
    await page.get_by_label("3-D Secure").check()
    await shop_page.button("Pay 150.00 USD").click()
    await shop_page.button("Do not confirm").click()
    await expect(shop_page.trouble).to_contain_text("failed authentication")
    await page.get_by_label("A card that pays").check()
    await shop_page.button("Pay 150.00 USD").click()

    await expect(shop_page.state).to_have_text("Paid")
    await assert_back(page)


async def test_the_back_button_leads_to_the_shop_and_a_link_to_the_bank(
    met: tuple[ShopPage, FakeService],
) -> None:
    shop_page, service = met
    page = shop_page.page
    await place(shop_page, AT_BANK)

    await page.go_back()

    await expect(shop_page.state).to_contain_text(WAITS)
    await expect(shop_page.state).to_contain_text("The payment waits until")
    await shop_page.assert_accessible()
    await page.reload()
    await expect(shop_page.state).to_contain_text(WAITS)
    await page.get_by_role("link", name="Continue to pay").click()
    await page.get_by_role("button", name="Confirm", exact=True).click()
    await expect(shop_page.state).to_have_text("Paid")
    await expect(page.get_by_role("link", name="Continue to pay")).to_be_hidden()
    assert service.requests.count("POST /payments") >= 2


async def test_a_customer_who_leaves_stripes_page_can_come_back(
    met: tuple[ShopPage, FakeService],
) -> None:
    shop_page, _ = met
    await place(shop_page, HOSTED)

    await shop_page.page.get_by_role("link", name="Back to the shop").click()

    await expect(shop_page.state).to_contain_text(WAITS)
    await assert_back(shop_page.page)
    await shop_page.page.get_by_role("link", name="Continue to pay").click()
    await shop_page.button("Pay 150.00 USD").click()
    await expect(shop_page.state).to_have_text("Paid")


async def test_two_tabs_show_the_same_payment(met: tuple[ShopPage, FakeService]) -> None:
    shop_page, service = met
    await place(shop_page, AT_BANK)
    first = shop_page.page
    second = await first.context.new_page()
    await second.goto(f"{shop_page.system.url('shop')}/payment?payment={service.payment_id}")
    await expect(second.get_by_role("status")).to_contain_text(WAITS)
    address = await second.get_by_role("link", name="Continue to pay").get_attribute("href")

    await first.get_by_role("button", name="Confirm", exact=True).click()

    await expect(shop_page.state).to_have_text("Paid")
    await expect(second.get_by_role("status")).to_have_text("Paid")
    await second.goto(address or "")  # the customer has confirmed, so the bank redirects
    await expect(second.get_by_role("status")).to_have_text("Paid")
    await assert_back(second)


async def test_a_customer_who_leaves_the_bank_finds_the_payment_waiting(
    met: tuple[ShopPage, FakeService],
) -> None:
    shop_page, service = met
    await place(shop_page, AT_BANK)

    await shop_page.button("Leave without an answer").click()
    await expect(shop_page.page).to_have_title("You have left | Stripe double")
    await shop_page.assert_accessible()
    await shop_page.open(f"/payment?payment={service.payment_id}")

    await expect(shop_page.state).to_contain_text(WAITS)
    assert (await service.intent()).status == "requires_action"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,paid", "", "file:///"])
async def test_only_an_address_of_the_web_is_followed(
    met: tuple[ShopPage, FakeService], address: Any
) -> None:
    shop_page, service = met
    service.address = address or "no address"

    await shop_page.order(AT_BANK)

    await expect(shop_page.state).to_have_text("The payment is under way")
    await expect(shop_page.page.get_by_role("link", name="Continue to pay")).to_be_hidden()
    assert "/payment?order=" in shop_page.page.url
