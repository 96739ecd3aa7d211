"""A page of the demonstration's shop in headless Chromium, as a person sees and uses it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Playwright, Request, expect

from tests.support.system import Order, System, an_unknown_order
from tests.support.waiting import eventually

_TIMEOUT_MS = 20_000
"""How long to wait for an element of a page. Chosen, not measured."""
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_NO_SUCCESS = "Failed to load resource"
"""How Chromium's message about a response begins whose status is not a success."""

expect.set_options(timeout=_TIMEOUT_MS)


@asynccontextmanager
async def chromium(playwright: Playwright, executable: str) -> AsyncIterator[Browser]:
    browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
    yield browser
    await browser.close()


@dataclass(frozen=True)
class ShopPage:
    """A page of the shop. `faults`: script errors, and requests to unknown hosts."""

    page: Page
    system: System
    faults: list[str] = field(default_factory=list)

    @property
    def state(self) -> Locator:
        return self.page.get_by_role("status")

    @property
    def trouble(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def steps(self) -> Locator:
        return self.page.get_by_role("log", name="Steps").get_by_role("listitem")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    async def open(self, path: str = "/") -> None:
        await self.page.goto(f"{self.system.url('shop')}{path}")

    async def order(self, title: str = "Ticket with a seat", *, slowly: bool = False) -> None:
        """Pick an order at the checkout and press the button that pays it."""
        await self.open()
        await self.page.get_by_role("radio", name=title).check()
        await self.page.get_by_role("checkbox").set_checked(slowly)
        await self.button("Pay").click()
        await self.page.wait_for_url("**/payment?order=*")

    async def listed_steps(self) -> list[str]:
        """The steps that are listed, without their times and details."""
        rows = await self.steps.all_inner_texts()
        return [" ".join(row.split("\n")[1:3]) for row in rows]

    async def until_listed(self, step: str) -> None:
        """Wait for the step. The page itself stops looking when no steps came for some seconds."""
        listed = self.steps.filter(has_text=step)
        has_stopped = self.page.get_by_text("No further steps are expected.")

        async def is_listed() -> bool:
            await expect(listed.or_(has_stopped).first).to_be_visible()
            if await listed.is_visible():
                return True
            await self.page.reload()
            return False

        await eventually(f"the step {step} is listed", is_listed)

    async def ordered(self) -> Order:
        """The order of the payment on the page, as Ordering has it."""
        [order_id] = parse_qs(urlsplit(self.page.url).query)["order"]
        named = replace(an_unknown_order(), id=order_id)
        order = await self.system.ordered(named)
        assert order is not None
        return replace(
            named,
            customer_id=order["customerId"],
            amount=order["totalAmount"],
            currency=order["currency"],
            status=order["status"],
        )

    async def assert_accessible(self) -> None:
        """Check all rules of axe-core in light colours, and the contrast rule in dark colours."""
        await self._assert_no_violation({"resultTypes": ["violations"]})
        await self.page.emulate_media(color_scheme="dark")
        await self._assert_no_violation({"runOnly": ["color-contrast"]})
        await self.page.emulate_media(color_scheme="light")

    async def _assert_no_violation(self, options: dict[str, list[str]]) -> None:
        found = (await Axe().run(self.page, options=options)).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []

    def watch(self) -> None:
        """Start to record faults."""
        names = ("shop", "payment_api", "stripe")
        known = {urlsplit(self.system.url(name)).netloc for name in names}

        def requested(request: Request) -> None:
            if urlsplit(request.url).netloc not in known:
                self.faults.append(f"requested {request.url}")

        def written(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and not self._is_of_api(message):
                self.faults.append(f"{message.type} {message.text} {message.location}")

        self.page.on("request", requested)
        self.page.on("console", written)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _is_of_api(self, message: ConsoleMessage) -> bool:
        address = self.system.url("payment_api")
        return message.text.startswith(_NO_SUCCESS) and message.location["url"].startswith(address)


@asynccontextmanager
async def opened(browser: Browser, system: System, **options: Any) -> AsyncIterator[ShopPage]:
    """A page in a browser without cookies or storage. Fails the test if it recorded faults."""
    context = await browser.new_context(reduced_motion="reduce", **options)
    shop_page = ShopPage(await context.new_page(), system)
    shop_page.watch()
    yield shop_page
    await context.close()
    assert shop_page.faults == []
