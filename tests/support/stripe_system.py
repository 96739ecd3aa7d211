"""Another API and another shop beside the system of a test. They pay at the double of Stripe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import uvicorn
from playwright.async_api import Browser

from audit.invariants import violations
from devstack.demo import shop
from devstack.stack.ports import HOST, Ports
from devstack.stack.stack import Stack
from tests.support.agreement import books_of
from tests.support.serving import serving
from tests.support.shop_page import ShopPage
from tests.support.stacks import another_server
from tests.support.stripe_client import official_client
from tests.support.system import Order, System


@dataclass(frozen=True)
class AtStripe:
    """The addresses of the shop and of the API whose payments are made at the double."""

    system: System
    shop: str
    api: str

    def url(self, name: str) -> str:
        return {"shop": self.shop, "payment_api": self.api}.get(name) or self.system.url(name)

    async def ordered(self, order: Order) -> Any:
        return await self.system.ordered(order)


@asynccontextmanager
async def at_stripe(system: System, **changes: Any) -> AsyncIterator[AtStripe]:
    """In the block, another API and another shop run in this process; the rest is the system's.

    The double's events go to the system's own API, which wakes the same workflows.
    """
    port = Ports.free().shop
    address = f"http://localhost:{port}"
    settings = {
        "gateway": "stripe",
        "checkout": "hosted",
        "cors_origins": address,
        "payment_return_url": f"{address}/payment?payment={{paymentId}}",
        **changes,
    }
    async with another_server(system.stack, **settings) as api:
        environment = {name.lower(): value for name, value in system.stack.environment().items()}
        known = environment.keys() & shop.ShopSettings.model_fields.keys()
        settings_of_shop: dict[str, Any] = {name: environment[name] for name in known}
        settings_of_shop |= {"shop_port": port, "payment_api_url": api, "gateway": "stripe"}
        app = shop.create_app(shop.ShopSettings(**settings_of_shop, checkout="hosted"))
        server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
        async with serving(server):
            yield AtStripe(system, address, api)


@asynccontextmanager
async def customer(browser: Browser, place: AtStripe) -> AsyncIterator[ShopPage]:
    context = await browser.new_context(reduced_motion="reduce")
    shop_page = ShopPage(await context.new_page(), cast(System, place))
    shop_page.watch()
    yield shop_page
    await context.close()
    assert shop_page.faults == []


async def attempts(stack: Stack, http: Any, order: Order) -> list[str]:
    """The states of the order's attempts at the double, oldest first."""
    url = f"{stack.environment()['STRIPE_URL']}/charges?orderId={order.id}"
    return [each["state"] for each in (await http.get(url)).json()]


def order_in(url: str) -> str:
    [order] = parse_qs(urlsplit(url).query)["order"]
    return order


__all__ = ["AtStripe", "at_stripe", "attempts", "customer", "official_client", "order_in"]


async def ended(system: System, order: Order) -> dict[str, Any]:
    """The row of the order's only payment, after all books agree about it."""
    assert violations(await books_of(system, order)) == []
    [row] = await system.rows(order)
    return row
