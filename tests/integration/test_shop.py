"""The demo's checkout and payment pages, driven as a person does, in headless Chromium."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Error, Locator, expect

from tests.support.agreement import assert_only_payment_agreed
from tests.support.shop import Shop
from tests.support.tab import Tab, opened

NOBODYS = "3f2b8c1e-6a0d-4a57-9c55-0f0e5d8b7a10"


async def test_an_order_is_paid_and_its_steps_are_told(tab: Tab, shop: Shop) -> None:
    await tab.order()

    await expect(tab.state).to_have_text("Paid")
    await expect(tab.page).to_have_title(re.compile("Paid . Ticket shop"))
    await expect(tab.page.get_by_role("definition").first).to_have_text("150.00 USD")
    await expect(tab.page.get_by_text("No further steps are expected.")).to_be_visible()
    row = await assert_only_payment_agreed(shop, await tab.ordered())
    assert (row["status"], row["amount_minor"]) == ("succeeded", 15000)
    told = await tab.told()
    assert (told[0], told[-1]) == ("Temporal Workflow started", "Temporal Workflow completed")
    assert {"PostgreSQL Payment is pending", "PostgreSQL Payment is succeeded"} <= set(told)
    assert {"Gateway Charge is captured", "Kafka Record of payment-succeeded"} <= set(told)
    await expect(tab.button("Cancel")).to_be_hidden()
    await expect(tab.trouble).to_be_hidden()


async def test_steps_arrive_while_the_payment_is_made(tab: Tab, shop: Shop) -> None:
    with shop.frozen("gateway"):
        await tab.order()
        await expect(tab.state).to_have_text("The payment is under way")
        await expect(tab.steps.filter(has_text="Payment is pending")).to_be_visible()
        await expect(tab.trouble).to_have_text("Not heard from just now: Gateway.")

    await expect(tab.state).to_have_text("Paid")
    await expect(tab.steps.filter(has_text="Workflow completed")).to_be_visible()
    await expect(tab.trouble).to_be_hidden()


async def test_one_order_can_be_watched_while_others_are_served_as_ever(
    tab: Tab, shop: Shop
) -> None:
    await tab.order(slowly=True)

    await expect(tab.state).to_have_text("Paid")
    row = await assert_only_payment_agreed(shop, await tab.ordered())
    assert row["processed_at"] - row["created_at"] > timedelta(seconds=2)
    gateway = await shop.neighbours.get(f"{shop.url('gateway')}/settings")
    assert gateway.json() == {"successRate": 1, "latencyMs": 0}


async def test_a_payment_is_cancelled(tab: Tab, shop: Shop) -> None:
    with shop.frozen("gateway"):
        await tab.order()
        await tab.button("Cancel").click()
        await expect(tab.state).to_be_focused()

    await expect(tab.state).to_contain_text("Not paid")
    assert (await assert_only_payment_agreed(shop, await tab.ordered()))[
        "error_code"
    ] == "PAYMENT_CANCELLED"
    await expect(tab.button("Cancel")).to_be_hidden()


async def test_a_payment_is_refunded_once(tab: Tab, shop: Shop) -> None:
    await tab.order()

    await tab.button("Refund 150.00 USD").click()

    await expect(tab.state).to_contain_text("Refunded")
    await expect(tab.state).to_contain_text("150.00 USD were given back.")
    await expect(tab.steps.filter(has_text="Record of payment-refunded")).to_be_visible()
    await expect(tab.button("Refund")).to_be_hidden()
    [charge] = await shop.charges(await tab.ordered())
    assert charge["state"] == "refunded"
    assert charge["refundedAmount"] == charge["amount"]


async def test_the_keyboard_is_enough(tab: Tab, shop: Shop) -> None:
    await tab.open()
    await tab.page.bring_to_front()
    keyboard = tab.page.keyboard

    async def reach(place: Locator) -> None:
        await keyboard.press("Tab")
        await expect(place).to_be_focused()

    await reach(tab.page.get_by_role("link", name="Ticket shop"))
    await reach(tab.page.get_by_role("radio", name="Ticket with a seat"))
    await keyboard.press("ArrowDown")
    await expect(tab.button("Pay 150.13 USD")).to_be_visible()
    await reach(tab.page.get_by_label("Payment method"))
    await keyboard.press("w")
    await reach(tab.page.get_by_role("checkbox"))
    await keyboard.press("Space")
    await reach(tab.button("Pay 150.13 USD"))
    await keyboard.press("Enter")

    await expect(tab.state).to_contain_text("The card was declined.")
    row = await assert_only_payment_agreed(shop, await tab.ordered())
    assert row["payment_method"] == "wallet"


async def test_a_page_that_is_loaded_again_pays_no_second_time(tab: Tab, shop: Shop) -> None:
    with shop.frozen("gateway"):
        await tab.order()
        await expect(tab.state).to_have_text("The payment is under way")
        await tab.page.reload()
        await expect(tab.state).to_have_text("The payment is under way")

    await expect(tab.state).to_have_text("Paid")
    await tab.page.reload()
    await expect(tab.state).to_have_text("Paid")
    await assert_only_payment_agreed(shop, await tab.ordered())
    assert len(await shop.charges(await tab.ordered())) == 1


async def test_a_payment_is_shown_to_others_by_its_address(
    tab: Tab, browser: Browser, shop: Shop
) -> None:
    order = await shop.an_order("120.50")
    payment = (await shop.pay(order)).payment

    for query in (f"order={order.id}", f"payment={payment['id']}"):
        await tab.open(f"/payment?{query}")
        await expect(tab.state).to_have_text("Paid")
        await expect(tab.page.get_by_role("definition").first).to_have_text("120.50 USD")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (f"payment={NOBODYS}", "There is no such payment."),
        ("order=4711", "orderId: must be a UUID"),
        (f"order={NOBODYS}", "There is no payment of this order"),
        ("", "This address names no payment"),
    ],
)
async def test_an_address_without_a_payment_says_so(tab: Tab, query: str, sentence: str) -> None:
    await tab.open(f"/payment?{query}")

    await expect(tab.page.get_by_role("main")).to_contain_text(sentence)


async def test_the_link_leads_to_the_workflow_in_the_web_ui(tab: Tab) -> None:
    await tab.order()
    order = await tab.ordered()
    link = tab.page.get_by_role("link", name="Its workflow in the Temporal Web UI")
    await expect(tab.state).to_have_text("Paid")

    ui = await tab.page.context.new_page()
    await ui.goto(await link.get_attribute("href") or "")

    await expect(ui.get_by_text(f"payment-{order.id}").first).to_be_visible()
    await expect(ui.get_by_text("Completed").first).to_be_visible()


async def test_everybody_can_use_the_pages_in_every_state(tab: Tab, shop: Shop) -> None:
    await tab.open()
    await expect(tab.button("Pay")).to_be_enabled()
    await tab.assert_accessible()
    with shop.frozen("gateway"):
        await tab.order()
        await expect(tab.steps.first).to_be_visible()
        await expect(tab.trouble).to_be_visible()
        await tab.assert_accessible()
    await expect(tab.state).to_have_text("Paid")
    await tab.assert_accessible()
    await tab.button("Refund").click()
    await expect(tab.state).to_contain_text("Refunded")
    await tab.assert_accessible()
    await tab.order("Ticket, card declined")
    await expect(tab.state).to_contain_text("Not paid")
    await tab.assert_accessible()


async def test_a_narrow_screen_is_wide_enough(browser: Browser, shop: Shop) -> None:
    async with opened(browser, shop, viewport={"width": 320, "height": 600}) as tab:
        await tab.open()
        await expect(tab.button("Pay")).to_be_enabled()
        assert await tab.page.evaluate("document.documentElement.scrollWidth") == 320
        await tab.order()
        await expect(tab.steps.filter(has_text="Record of payment-succeeded")).to_be_visible()
        assert await tab.page.evaluate("document.documentElement.scrollWidth") == 320


async def test_the_browser_lets_nobody_write_html_into_the_pages(tab: Tab) -> None:
    await tab.open()

    with pytest.raises(Error, match="TrustedHTML"):
        await tab.page.evaluate("document.body.innerHTML = '<p>Paid</p>'")
    tab.faults.clear()
