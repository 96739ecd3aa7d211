"""The demo's pages in headless Chromium, used as a person uses them."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Error, Locator, expect

from tests.support.agreement import assert_only_payment_agreed
from tests.support.shop_page import ShopPage, opened
from tests.support.system import GATEWAY_AS_USUAL, System

NOBODYS = "3f2b8c1e-6a0d-4a57-9c55-0f0e5d8b7a10"


async def test_an_order_is_paid_and_its_steps_are_listed(
    shop_page: ShopPage, system: System
) -> None:
    await shop_page.order()

    await expect(shop_page.state).to_have_text("Paid")
    await expect(shop_page.page).to_have_title(re.compile("Paid . Ticket shop"))
    await expect(shop_page.page.get_by_role("definition").first).to_have_text("150.00 USD")
    await expect(shop_page.page.get_by_text("No further steps are expected.")).to_be_visible()
    await shop_page.until_listed("Workflow completed")
    row = await assert_only_payment_agreed(system, await shop_page.ordered())
    assert (row["status"], row["amount_minor"]) == ("succeeded", 15000)
    steps = await shop_page.listed_steps()
    assert (steps[0], steps[-1]) == ("Temporal Workflow started", "Temporal Workflow completed")
    assert {"PostgreSQL Payment is pending", "PostgreSQL Payment is succeeded"} <= set(steps)
    assert {"Gateway Charge is captured", "Kafka Record of payment-succeeded"} <= set(steps)
    await expect(shop_page.button("Cancel")).to_be_hidden()
    await expect(shop_page.trouble).to_be_hidden()


async def test_steps_arrive_while_the_payment_is_made(shop_page: ShopPage, system: System) -> None:
    with system.frozen("gateway"):
        await shop_page.order()
        await expect(shop_page.state).to_have_text("The payment is under way")
        await expect(shop_page.steps.filter(has_text="Payment is pending")).to_be_visible()
        await expect(shop_page.trouble).to_have_text("Not heard from just now: Gateway.")

    await expect(shop_page.state).to_have_text("Paid")
    await shop_page.until_listed("Workflow completed")
    await expect(shop_page.trouble).to_be_hidden()


async def test_one_order_can_be_watched_while_others_are_served_as_ever(
    shop_page: ShopPage, system: System
) -> None:
    await shop_page.order(slowly=True)

    await expect(shop_page.state).to_have_text("Paid")
    row = await assert_only_payment_agreed(system, await shop_page.ordered())
    assert row["processed_at"] - row["created_at"] > timedelta(seconds=2)
    gateway = await system.neighbours.get(f"{system.url('gateway')}/settings")
    assert gateway.json() == GATEWAY_AS_USUAL


async def test_a_payment_is_cancelled(shop_page: ShopPage, system: System) -> None:
    with system.frozen("gateway"):
        await shop_page.order()
        await shop_page.button("Cancel").click()
        await expect(shop_page.state).to_be_focused()

    await expect(shop_page.state).to_contain_text("Not paid")
    assert (await assert_only_payment_agreed(system, await shop_page.ordered()))[
        "error_code"
    ] == "PAYMENT_CANCELLED"
    await expect(shop_page.button("Cancel")).to_be_hidden()


async def test_a_payment_is_refunded_once(shop_page: ShopPage, system: System) -> None:
    await shop_page.order()

    await shop_page.button("Refund 150.00 USD").click()

    await expect(shop_page.state).to_contain_text("Refunded")
    await expect(shop_page.state).to_contain_text("150.00 USD were given back.")
    await expect(shop_page.steps.filter(has_text="Record of payment-refunded")).to_be_visible()
    await expect(shop_page.button("Refund")).to_be_hidden()
    [charge] = await system.charges(await shop_page.ordered())
    assert charge["state"] == "refunded"
    assert charge["refundedAmount"] == charge["amount"]


async def test_the_pages_can_be_used_with_the_keyboard_alone(
    shop_page: ShopPage, system: System
) -> None:
    await shop_page.open()
    await expect(shop_page.button("Pay")).to_be_enabled()
    await shop_page.page.bring_to_front()
    keyboard = shop_page.page.keyboard

    async def reach(place: Locator) -> None:
        await keyboard.press("Tab")
        await expect(place).to_be_focused()

    await reach(shop_page.page.get_by_role("link", name="Ticket shop"))
    await reach(shop_page.page.get_by_role("radio", name="Ticket with a seat"))
    await keyboard.press("ArrowDown")
    await expect(shop_page.button("Pay 150.13 USD")).to_be_visible()
    await reach(shop_page.page.get_by_label("Payment method"))
    await keyboard.press("w")
    await reach(shop_page.page.get_by_role("checkbox"))
    await keyboard.press("Space")
    await reach(shop_page.button("Pay 150.13 USD"))
    await keyboard.press("Enter")

    await expect(shop_page.state).to_contain_text("The card was declined.")
    row = await assert_only_payment_agreed(system, await shop_page.ordered())
    assert row["payment_method"] == "wallet"


async def test_a_page_that_is_loaded_again_pays_no_second_time(
    shop_page: ShopPage, system: System
) -> None:
    with system.frozen("gateway"):
        await shop_page.order()
        await expect(shop_page.state).to_have_text("The payment is under way")
        await shop_page.page.reload()
        await expect(shop_page.state).to_have_text("The payment is under way")

    await expect(shop_page.state).to_have_text("Paid")
    await shop_page.page.reload()
    await expect(shop_page.state).to_have_text("Paid")
    await assert_only_payment_agreed(system, await shop_page.ordered())
    assert len(await system.charges(await shop_page.ordered())) == 1


async def test_a_payment_is_shown_to_others_by_its_address(
    shop_page: ShopPage, browser: Browser, system: System
) -> None:
    order = await system.an_order("120.50")
    payment = (await system.pay(order)).payment

    for query in (f"order={order.id}", f"payment={payment['id']}"):
        await shop_page.open(f"/payment?{query}")
        await expect(shop_page.state).to_have_text("Paid")
        await expect(shop_page.page.get_by_role("definition").first).to_have_text("120.50 USD")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (f"payment={NOBODYS}", "There is no such payment."),
        ("order=4711", "orderId: must be a UUID"),
        (f"order={NOBODYS}", "There is no payment of this order"),
        ("", "This address names no payment"),
    ],
)
async def test_an_address_without_a_payment_says_so(
    shop_page: ShopPage, query: str, sentence: str
) -> None:
    await shop_page.open(f"/payment?{query}")

    await expect(shop_page.page.get_by_role("main")).to_contain_text(sentence)


async def test_the_link_leads_to_the_workflow_in_the_web_ui(shop_page: ShopPage) -> None:
    await shop_page.order()
    order = await shop_page.ordered()
    link = shop_page.page.get_by_role("link", name="Its workflow in the Temporal Web UI")
    await expect(shop_page.state).to_have_text("Paid")

    ui = await shop_page.page.context.new_page()
    await ui.goto(await link.get_attribute("href") or "")

    await expect(ui.get_by_text(f"payment-{order.id}").first).to_be_visible()
    await expect(ui.get_by_text("Completed").first).to_be_visible()


@pytest.mark.proof
async def test_everybody_can_use_the_pages_in_every_state(
    shop_page: ShopPage, system: System
) -> None:
    await shop_page.open()
    await expect(shop_page.button("Pay")).to_be_enabled()
    await shop_page.assert_accessible()
    with system.frozen("gateway"):
        await shop_page.order()
        await expect(shop_page.steps.first).to_be_visible()
        await expect(shop_page.trouble).to_be_visible()
        await shop_page.assert_accessible()
    await expect(shop_page.state).to_have_text("Paid")
    await shop_page.assert_accessible()
    await shop_page.button("Refund").click()
    await expect(shop_page.state).to_contain_text("Refunded")
    await shop_page.assert_accessible()
    await shop_page.order("Ticket, card declined")
    await expect(shop_page.state).to_contain_text("Not paid")
    await shop_page.assert_accessible()


async def test_the_pages_fit_a_narrow_screen(browser: Browser, system: System) -> None:
    async with opened(browser, system, viewport={"width": 320, "height": 600}) as shop_page:
        await shop_page.open()
        await expect(shop_page.button("Pay")).to_be_enabled()
        assert await shop_page.page.evaluate("document.documentElement.scrollWidth") == 320
        await shop_page.order()
        await expect(shop_page.steps.filter(has_text="Record of payment-succeeded")).to_be_visible()
        assert await shop_page.page.evaluate("document.documentElement.scrollWidth") == 320


async def test_the_browser_lets_nobody_write_html_into_the_pages(shop_page: ShopPage) -> None:
    await shop_page.open()

    with pytest.raises(Error, match="TrustedHTML"):
        await shop_page.page.evaluate("document.body.innerHTML = '<p>Paid</p>'")
    shop_page.faults.clear()
