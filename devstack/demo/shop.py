"""The shop of the demonstration, its pages and orders: `python -m devstack.demo.shop`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import Field, PlainSerializer

from devstack.neighbours.journal import utc_now
from devstack.neighbours.neighbour import (
    NeighbourSettings,
    Refusal,
    ShortText,
    Wire,
    answer,
    json_response,
    neighbour_app,
    read,
    serve,
)
from domain import exact_json
from domain.money import Money

_PAGES = Path(__file__).parent / "pages"
_WATCHABLE_MS = 2000
_HELD, _LAPSED = timedelta(minutes=15), timedelta(minutes=-1)


class ShopSettings(NeighbourSettings):
    """Where the shop finds the others, and where a browser finds the payment API and the Web UI."""

    shop_port: int = 3000
    ordering_url: str = "http://127.0.0.1:5003"
    inventory_url: str = "http://127.0.0.1:5002"
    gateway_url: str = "http://127.0.0.1:5005"
    payment_api_url: str = "http://127.0.0.1:5004"
    temporal_ui_url: str = "http://127.0.0.1:8233"
    temporal_namespace: str = "default"


class Offer(Wire):
    """What can be ordered, and for how long its seat is held."""

    name: str
    title: str
    note: str
    price: Annotated[Money, PlainSerializer(str)]
    hold: timedelta = Field(default=_HELD, exclude=True)


OFFERS = (
    Offer(
        name="ticket",
        title="Ticket with a seat",
        note="The seat is held for a quarter of an hour.",
        price=Money.parse("150.00", "USD"),
    ),
    Offer(
        name="declined",
        title="Ticket, card declined",
        note="The simulated gateway declines amounts that end in .13.",
        price=Money.parse("150.13", "USD"),
    ),
    Offer(
        name="insufficient",
        title="Ticket, too little money",
        note="It finds insufficient funds for amounts that end in .66.",
        price=Money.parse("150.66", "USD"),
    ),
    Offer(
        name="lapsed",
        title="Ticket, seat no longer held",
        note="The hold has lapsed, and the seat may be sold to others.",
        price=Money.parse("150.00", "USD"),
        hold=_LAPSED,
    ),
)


class OrderForm(Wire):
    """What the checkout sends. `slowly` lets the gateway take its time with this order."""

    offer: str
    payment_method: ShortText
    slowly: bool = False


class Bill(Wire):
    """What the browser posts to the payment API, as it is."""

    order_id: str
    customer_id: str
    reservation_id: str
    amount: Decimal
    currency: str
    payment_method: str


router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"])
async def checkout_page() -> Response:
    return FileResponse(_PAGES / "checkout.html")


@router.api_route("/payment", methods=["GET", "HEAD"])
async def payment_page() -> Response:
    return FileResponse(_PAGES / "payment.html")


@router.get("/addresses")
async def addresses(request: Request) -> Response:
    """Where the browser finds the payment API, and workflows in the Web UI if there is one."""
    settings = _settings(request)
    ui = settings.temporal_ui_url
    workflows = f"{ui}/namespaces/{settings.temporal_namespace}/workflows" if ui else None
    found = {"paymentApi": settings.payment_api_url, "workflows": workflows}
    return json_response(exact_json.dumps(found))


@router.get("/offers")
async def offers() -> Response:
    return answer(OFFERS)


@router.post("/orders")
async def place_order(request: Request) -> Response:
    """A new order of a new customer, its seat held, ready to be paid."""
    form = await read(request, OrderForm)
    offer = next((each for each in OFFERS if each.name == form.offer), None)
    if offer is None:
        raise Refusal(400, f"there is no offer {form.offer}: GET /offers")
    return answer(await _place(offer, form, _settings(request)), 201)


async def _place(offer: Offer, form: OrderForm, settings: ShopSettings) -> Bill:
    """Raises Refusal with 503 if a neighbour does not take its part."""
    order_id, customer_id, seat_id = (str(uuid4()) for _ in range(3))
    amount, currency = offer.price.amount, offer.price.currency
    order = {"id": order_id, "customerId": customer_id}
    seat = {"id": seat_id, "orderId": order_id, "customerId": customer_id}
    async with create_client() as neighbours:
        await _tell(
            neighbours.post,
            f"{settings.ordering_url}/orders",
            {**order, "totalAmount": amount, "currency": currency},
        )
        await _tell(
            neighbours.post,
            f"{settings.inventory_url}/reservations",
            {**seat, "expiresAt": utc_now() + offer.hold},
        )
        if form.slowly:
            # Of this order alone, so that nobody has to put it back.
            url = f"{settings.gateway_url}/settings/{order_id}"
            await _tell(neighbours.put, url, {"latencyMs": _WATCHABLE_MS})
    return Bill(
        order_id=order_id,
        customer_id=customer_id,
        reservation_id=seat_id,
        amount=amount,
        currency=currency,
        payment_method=form.payment_method,
    )


def create_client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False)


async def _tell(
    send: Callable[..., Awaitable[httpx.Response]], url: str, body: dict[str, Any]
) -> None:
    try:
        (await send(url, content=exact_json.dumps(body))).raise_for_status()
    except httpx.HTTPError:
        error = f"The order cannot be placed: {url} does not answer as it should."
        raise Refusal(503, error) from None


def _settings(request: Request) -> ShopSettings:
    settings: ShopSettings = request.app.state.settings
    return settings


def _headers(settings: ShopSettings) -> dict[str, str]:
    """Pages that run nothing but the shop's own scripts, which call nobody but the payment API."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        f"connect-src 'self' {settings.payment_api_url}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }


def build(settings: ShopSettings) -> FastAPI:
    app = neighbour_app("shop", router)
    app.state.settings = settings
    app.mount("/", StaticFiles(directory=_PAGES))
    headers = _headers(settings)

    @app.middleware("http")
    async def add_headers(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        response.headers.update(headers)
        return response

    return app


if __name__ == "__main__":
    shop_settings = ShopSettings()
    serve(build(shop_settings), shop_settings, shop_settings.shop_port)
