"""The demo's pages in headless Chromium: payments that fail, and systems that do not answer."""

import asyncio
import json
import re

import pytest
from playwright.async_api import Route, expect

from tests.support.agreement import assert_only_payment_agreed
from tests.support.replica import another_api, hurrying
from tests.support.shop import Answer, Shop
from tests.support.tab import Tab

NOT_ANSWERING = "The payment service does not answer. Trying again in 5 s."
RETRY_SOON = {"access-control-expose-headers": "Retry-After", "retry-after": "1"}


async def readable_by(route: Route) -> dict[str, str]:
    """Headers of an answer that the page may read, and that it asks for again after a second."""
    origin = await route.request.header_value("origin") or ""
    return {**RETRY_SOON, "access-control-allow-origin": origin}


async def sent(route: Route, shop: Shop) -> Answer:
    """What this shop's API answers to the page's request."""
    key = await route.request.header_value("idempotency-key") or ""
    return await shop.post(route.request.post_data_buffer or b"", **{"idempotency-key": key})


@pytest.mark.parametrize(
    ("title", "message", "code"),
    [
        ("Ticket, card declined", "The card was declined.", "CARD_DECLINED"),
        ("Ticket, too little money", "The account has insufficient funds.", "INSUFFICIENT_FUNDS"),
        ("Ticket, seat no longer held", "it is expired.", "RESERVATION_NOT_ACTIVE"),
    ],
)
async def test_a_refused_payment_says_why_and_what_to_do(
    tab: Tab, shop: Shop, title: str, message: str, code: str
) -> None:
    await tab.order(title)

    await expect(tab.state).to_contain_text("Not paid")
    await expect(tab.state).to_contain_text(message)
    await expect(tab.state).to_contain_text("No money was kept. Place a new order to pay.")
    await expect(tab.steps.filter(has_text="Record of payment-failed")).to_be_visible()
    assert (await assert_only_payment_agreed(shop, await tab.ordered()))["error_code"] == code
    await expect(tab.button("Refund")).to_be_hidden()
    await expect(tab.page.get_by_text("again")).to_be_hidden()
    await tab.page.get_by_role("link", name="To the checkout").click()
    await expect(tab.page.get_by_role("heading", name="Checkout")).to_be_visible()


async def test_after_a_published_failure_the_same_basket_is_placed_as_a_new_order(
    tab: Tab, shop: Shop
) -> None:
    async with shop.gateway(successRate=0):
        await tab.order()
        await expect(tab.state).to_contain_text("Place a new order to pay.")
    closed = await tab.ordered()
    await tab.page.reload()

    await tab.button("Place a new order").click()
    await tab.page.wait_for_url(re.compile(f"order=(?!{closed.id})"))

    await expect(tab.state).to_have_text("Paid")
    await expect(tab.button("Place a new order")).to_be_hidden()
    rows = [
        await assert_only_payment_agreed(shop, order) for order in (closed, await tab.ordered())
    ]
    assert [row["status"] for row in rows] == ["failed", "succeeded"]
    assert rows[0]["amount_minor"] == rows[1]["amount_minor"]
    assert rows[0]["reservation_id"] != rows[1]["reservation_id"]


async def test_a_failure_that_was_not_published_is_tried_again(tab: Tab, shop: Shop) -> None:
    """Ordering is away for minutes, which are skipped; then the same order is paid."""
    refused: list[Answer] = []
    is_back = asyncio.Event()

    async def without_ordering(route: Route) -> None:
        if is_back.is_set():
            await route.continue_()
            return
        if not refused:
            async with hurrying(shop) as hurried, hurried.without("ordering"):
                refused.append(await sent(route, hurried))
        [answer] = refused
        headers = await readable_by(route)
        await route.fulfill(status=answer.status, headers=headers, body=answer.text)

    await tab.page.route(f"{shop.url('payment_api')}/payments", without_ordering)
    await tab.order()

    await expect(tab.state).to_contain_text("Not paid yet")
    await expect(tab.state).to_contain_text("No money was kept. The order can still be paid.")
    await expect(tab.trouble).to_contain_text("Trying again in 1 s.")
    await expect(tab.button("Place a new order")).to_be_hidden()
    await tab.assert_accessible()
    is_back.set()
    await expect(tab.state).to_have_text("Paid")
    await expect(tab.trouble).to_be_hidden()
    rows = await shop.rows(await tab.ordered())
    assert [row["status"] for row in rows] == ["failed", "succeeded"]


async def test_a_payment_that_is_still_running_is_asked_for_again(tab: Tab, shop: Shop) -> None:
    answers: list[Answer] = []

    async def impatiently(route: Route) -> None:
        if answers:
            await route.continue_()
            return
        async with another_api(shop, payment_wait_seconds=0.1) as impatient:
            answers.append(await sent(route, impatient))
        await route.fulfill(status=202, headers=await readable_by(route), body=answers[0].text)

    await tab.page.route(f"{shop.url('payment_api')}/payments", impatiently)
    with shop.frozen("gateway"):
        await tab.order("Ticket, card declined")
        await expect(tab.state).to_have_text("The payment is under way")
        await expect(tab.steps.filter(has_text="Payment is pending")).to_be_visible()

    await expect(tab.state).to_contain_text("The card was declined.")
    await expect(tab.button("Place a new order")).to_be_visible()
    assert [answer.status for answer in answers] == [202]
    await assert_only_payment_agreed(shop, await tab.ordered())


async def test_while_the_service_is_down_the_page_says_so_and_pays_afterwards(
    tab: Tab, shop: Shop
) -> None:
    async with shop.without("api"):
        await tab.order()
        await expect(tab.trouble).to_have_text(NOT_ANSWERING)
        await expect(tab.state).to_have_text("The payment is being sent")
        await tab.assert_accessible()

    await expect(tab.state).to_have_text("Paid")
    await expect(tab.trouble).to_be_hidden()
    await assert_only_payment_agreed(shop, await tab.ordered())


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_is_asked_again_when_it_says(
    tab: Tab, shop: Shop, status: int
) -> None:
    keys = []

    async def refuse(route: Route) -> None:
        keys.append(await route.request.header_value("idempotency-key"))
        if len(keys) > 1:
            await route.continue_()
            return
        body = json.dumps({"success": False, "errorMessage": "Too many requests."})
        await route.fulfill(status=status, headers=await readable_by(route), body=body)

    await tab.page.route(f"{shop.url('payment_api')}/payments", refuse)
    await tab.order()

    await expect(tab.trouble).to_have_text("Too many requests. Trying again in 1 s.")
    await expect(tab.state).to_have_text("Paid")
    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_an_order_that_cannot_be_placed_is_tried_again(tab: Tab) -> None:
    async def refuse(route: Route) -> None:
        await route.abort()

    await tab.page.route("**/orders", refuse)
    await tab.open()
    await tab.button("Pay").click()

    await expect(tab.trouble).to_have_text("The shop does not answer.")
    await expect(tab.button("Pay")).to_be_focused()
    tab.faults.clear()
    await tab.page.unroute("**/orders")
    await tab.button("Pay").click()
    await expect(tab.state).to_have_text("Paid")
