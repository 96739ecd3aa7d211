"""The demo's pages in headless Chromium when payments fail or systems do not respond."""

import asyncio
import json
import re

import pytest
from playwright.async_api import Route, expect

from tests.support.agreement import assert_only_payment_agreed
from tests.support.replica import another_api, time_skipping_system
from tests.support.shop_page import ShopPage
from tests.support.system import Answer, System

NOT_ANSWERING = "The payment service does not answer. Trying again in 5 s."
RETRY_SOON = {"access-control-expose-headers": "Retry-After", "retry-after": "1"}


async def readable_by(route: Route) -> dict[str, str]:
    """Headers of a response that the page may read, and after which it tries again in a second."""
    origin = await route.request.header_value("origin") or ""
    return {**RETRY_SOON, "access-control-allow-origin": origin}


async def sent(route: Route, system: System) -> Answer:
    """The response of this system's API to the page's request."""
    key = await route.request.header_value("idempotency-key") or ""
    return await system.post(route.request.post_data_buffer or b"", **{"idempotency-key": key})


@pytest.mark.parametrize(
    ("title", "message", "code"),
    [
        ("Ticket, card declined", "The card was declined.", "CARD_DECLINED"),
        ("Ticket, too little money", "The account has insufficient funds.", "INSUFFICIENT_FUNDS"),
        ("Ticket, seat no longer held", "it is expired.", "RESERVATION_NOT_ACTIVE"),
    ],
)
async def test_a_refused_payment_says_why_and_what_to_do(
    shop_page: ShopPage, system: System, title: str, message: str, code: str
) -> None:
    await shop_page.order(title)

    await expect(shop_page.state).to_contain_text("Not paid")
    await expect(shop_page.state).to_contain_text(message)
    await expect(shop_page.state).to_contain_text("No money was kept. Place a new order to pay.")
    await expect(shop_page.steps.filter(has_text="Record of payment-failed")).to_be_visible()
    assert (await assert_only_payment_agreed(system, await shop_page.ordered()))[
        "error_code"
    ] == code
    await expect(shop_page.button("Refund")).to_be_hidden()
    await expect(shop_page.page.get_by_text("again")).to_be_hidden()
    await shop_page.page.get_by_role("link", name="To the checkout").click()
    await expect(shop_page.page.get_by_role("heading", name="Checkout")).to_be_visible()


async def test_after_a_published_failure_the_same_basket_is_placed_as_a_new_order(
    shop_page: ShopPage, system: System
) -> None:
    async with system.gateway(successRate=0):
        await shop_page.order()
        await expect(shop_page.state).to_contain_text("Place a new order to pay.")
    closed = await shop_page.ordered()
    await shop_page.page.reload()

    await shop_page.button("Place a new order").click()
    await shop_page.page.wait_for_url(re.compile(f"order=(?!{closed.id})"))

    await expect(shop_page.state).to_have_text("Paid")
    await expect(shop_page.button("Place a new order")).to_be_hidden()
    rows = [
        await assert_only_payment_agreed(system, order)
        for order in (closed, await shop_page.ordered())
    ]
    assert [row["status"] for row in rows] == ["failed", "succeeded"]
    assert rows[0]["amount_minor"] == rows[1]["amount_minor"]
    assert rows[0]["reservation_id"] != rows[1]["reservation_id"]


async def test_a_failure_that_was_not_published_is_tried_again(
    shop_page: ShopPage, system: System
) -> None:
    """Ordering is down for minutes, which are skipped. Then the same order is paid."""
    refused: list[Answer] = []
    is_back = asyncio.Event()

    async def without_ordering(route: Route) -> None:
        if is_back.is_set():
            await route.continue_()
            return
        if not refused:
            async with time_skipping_system(system) as skipping, skipping.without("ordering"):
                refused.append(await sent(route, skipping))
        [answer] = refused
        headers = await readable_by(route)
        await route.fulfill(status=answer.status, headers=headers, body=answer.text)

    await shop_page.page.route(f"{system.url('payment_api')}/payments", without_ordering)
    await shop_page.order()

    await expect(shop_page.state).to_contain_text("Not paid yet")
    await expect(shop_page.state).to_contain_text("No money was kept. The order can still be paid.")
    await expect(shop_page.trouble).to_contain_text("Trying again in 1 s.")
    await expect(shop_page.button("Place a new order")).to_be_hidden()
    await shop_page.assert_accessible()
    is_back.set()
    await expect(shop_page.state).to_have_text("Paid")
    await expect(shop_page.trouble).to_be_hidden()
    rows = await system.rows(await shop_page.ordered())
    assert [row["status"] for row in rows] == ["failed", "succeeded"]


@pytest.mark.proof
async def test_a_payment_that_is_still_running_is_requested_again(
    shop_page: ShopPage, system: System
) -> None:
    answers: list[Answer] = []

    async def impatiently(route: Route) -> None:
        if answers:
            await route.continue_()
            return
        async with another_api(system, payment_wait_seconds=0.1) as impatient:
            answers.append(await sent(route, impatient))
        await route.fulfill(status=202, headers=await readable_by(route), body=answers[0].text)

    await shop_page.page.route(f"{system.url('payment_api')}/payments", impatiently)
    with system.frozen("gateway"):
        await shop_page.order("Ticket, card declined")
        await expect(shop_page.state).to_have_text("The payment is under way")
        await expect(shop_page.steps.filter(has_text="Payment is pending")).to_be_visible()

    await expect(shop_page.state).to_contain_text("The card was declined.")
    await expect(shop_page.button("Place a new order")).to_be_visible()
    assert [answer.status for answer in answers] == [202]
    await assert_only_payment_agreed(system, await shop_page.ordered())


@pytest.mark.proof
async def test_while_the_service_is_down_the_page_says_so_and_pays_afterwards(
    shop_page: ShopPage, system: System
) -> None:
    async with system.without("api"):
        await shop_page.order()
        await expect(shop_page.trouble).to_have_text(NOT_ANSWERING)
        await expect(shop_page.state).to_have_text("The payment is being sent")
        await shop_page.assert_accessible()

    await expect(shop_page.state).to_have_text("Paid")
    await expect(shop_page.trouble).to_be_hidden()
    await assert_only_payment_agreed(system, await shop_page.ordered())


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_service_gets_the_request_again_at_the_time_that_it_names(
    shop_page: ShopPage, system: System, status: int
) -> None:
    keys = []
    has_read = asyncio.Event()

    async def refuse(route: Route) -> None:
        keys.append(await route.request.header_value("idempotency-key"))
        if len(keys) > 1:
            await has_read.wait()
            await route.continue_()
            return
        body = json.dumps({"success": False, "errorMessage": "Too many requests."})
        await route.fulfill(status=status, headers=await readable_by(route), body=body)

    await shop_page.page.route(f"{system.url('payment_api')}/payments", refuse)
    await shop_page.order()

    await expect(shop_page.trouble).to_have_text("Too many requests. Trying again in 1 s.")
    has_read.set()
    await expect(shop_page.state).to_have_text("Paid")
    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_an_order_that_cannot_be_placed_is_tried_again(shop_page: ShopPage) -> None:
    async def refuse(route: Route) -> None:
        await route.abort()

    await shop_page.page.route("**/orders", refuse)
    await shop_page.open()
    await shop_page.button("Pay").click()

    await expect(shop_page.trouble).to_have_text("The shop does not answer.")
    await expect(shop_page.button("Pay")).to_be_focused()
    shop_page.faults.clear()
    await shop_page.page.unroute("**/orders")
    await shop_page.button("Pay").click()
    await expect(shop_page.state).to_have_text("Paid")
