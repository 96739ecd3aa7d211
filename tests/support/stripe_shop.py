"""The shop, the double of Stripe and its pages as processes, with a payment service of the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

import httpx
from playwright.async_api import Browser, Page, Route

from devstack.stack.ports import Ports
from devstack.stack.stack import Stack
from tests.support.shop_page import ShopPage
from tests.support.stripe_client import CHECKOUT, MANUAL, official_client
from tests.support.system import System

PROCESSES = ["ordering", "inventory", "shop", "stripe"]
EXPIRES_AT = "2030-01-01T10:30:00Z"


class Addresses:
    """The addresses that a test of the shop's pages needs."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def url(self, name: str) -> str:
        return self.stack.environment()[f"{name.upper()}_URL"]


class FakeService:
    """The payment service to the shop's pages, for one payment that waits at the double.

    It responds as the real one does: 202 and `nextAction` while the payment waits, then its ending.
    `requests` holds the methods and paths that were requested.
    """

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self.payment_id = str(uuid4())
        self.requests: list[str] = []
        self.address: str | None = None
        """The address of the next action, if it is not the one of the double."""
        self._client: Any = official_client(http).v1
        self._api = stack.environment()["PAYMENT_API_URL"]
        template = stack.environment()["PAYMENT_RETURN_URL"]
        self._return_url = template.replace("{paymentId}", self.payment_id)
        self._order: dict[str, Any] = {}
        self._reference = ""
        self._opening = asyncio.Lock()

    async def serve(self, page: Page) -> None:
        await page.context.route(f"{self._api}/**", self._answer)

    async def intent(self) -> Any:
        """The PaymentIntent at the double; None if the session has none yet."""
        if self._reference.startswith("pi_"):
            return await self._client.payment_intents.retrieve_async(self._reference)
        params = {"expand": ["payment_intent"]}
        session = await self._client.checkout.sessions.retrieve_async(self._reference, params)
        return session.payment_intent

    async def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(self._api).partition("?")[0]
        self.requests.append(f"{route.request.method} {path}")
        body: dict[str, Any] = {}
        if path == "/payments" and route.request.method == "POST":
            order = json.loads(route.request.post_data or "")
            async with self._opening:
                if not self._reference:
                    await self._open(order.get("paymentMethodToken"))
                self._order = order
            body = await self._envelope()
        elif path == "/payments":
            body = {"payments": [(await self._envelope())["payment"]] if self._order else []}
        elif path.endswith("/timeline"):
            body = {"timeline": [], "silent": []}
        elif path.endswith("/refunds"):
            body = {"refunds": []}
        elif path.startswith("/payments/"):
            body = await self._envelope()
        headers = {
            "access-control-allow-origin": await route.request.header_value("origin") or "",
            "access-control-allow-headers": "content-type, idempotency-key",
        }
        await route.fulfill(status=202, headers=headers, json=body)

    async def _open(self, token: str | None) -> None:
        if token is None:
            params = {**CHECKOUT, "success_url": self._return_url, "cancel_url": self._return_url}
            made = await self._client.checkout.sessions.create_async(params)
        else:
            made = await self._client.payment_intents.create_async(MANUAL)
            card = {"payment_method": token, "return_url": self._return_url}
            await self._client.payment_intents.confirm_async(made.id, card)
        self._reference = made.id

    async def _envelope(self) -> dict[str, Any]:
        intent = await self.intent()
        status = _status(intent, is_hosted=self._reference.startswith("cs_"))
        payment = {
            "id": self.payment_id,
            "status": status,
            "errorMessage": "The bank did not confirm." if status == "failed" else None,
            **{name: self._order[name] for name in ("orderId", "amount", "currency")},
            "paymentMethod": self._order["paymentMethod"],
        }
        found: dict[str, Any] = {"payment": payment}
        if status == "pending":
            url = self.address or await self._address(intent)
            found["nextAction"] = {"type": "redirect", "url": url, "expiresAt": EXPIRES_AT}
        return found

    async def _address(self, intent: Any) -> Any:
        if self._reference.startswith("pi_"):
            return intent.next_action.redirect_to_url.url
        return (await self._client.checkout.sessions.retrieve_async(self._reference)).url


def _status(intent: Any, *, is_hosted: bool) -> str:
    if intent and intent.status in {"requires_capture", "succeeded"}:
        return "succeeded"
    has_failed = intent and intent.last_payment_error and not is_hosted
    return "failed" if has_failed else "pending"


@asynccontextmanager
async def shop_at_stripe(directory: Any) -> AsyncIterator[Stack]:
    """The processes that the pages need. Their payment service is a FakeService."""
    stack = Stack(directory, Ports.free(), ephemeral=True, optional=["stripe"])
    await stack.up(PROCESSES, environment={"GATEWAY": "stripe", "CHECKOUT": "hosted"})
    yield stack
    for name in PROCESSES:
        await stack.kill(name)


@asynccontextmanager
async def customer(browser: Browser, stack: Stack) -> AsyncIterator[tuple[ShopPage, FakeService]]:
    """Open the shop in a new browser context, which is one customer.

    Yields the page, and the fake payment service to which the page sends its requests.
    Raises AssertionError at the end of the block if the page has logged an error.
    """
    context = await browser.new_context(reduced_motion="reduce")
    shop_page = ShopPage(await context.new_page(), cast(System, Addresses(stack)))
    shop_page.watch()
    async with httpx.AsyncClient(
        base_url=stack.environment()["STRIPE_URL"], trust_env=False
    ) as http:
        service = FakeService(stack, http)
        await service.serve(shop_page.page)
        yield shop_page, service
        await context.unroute_all(behavior="ignoreErrors")
        await context.close()
    assert shop_page.faults == []
