"""The shop of the demonstration: `python -m devstack.demo.shop`. It serves pages and places orders.

The browser sends the payment request to the payment API. The shop never does.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import Field, PlainSerializer

from devstack.neighbours.json_http import ApiError, json_response, model_response, read_body
from devstack.neighbours.json_models import JsonModel, ShortText
from devstack.neighbours.service import create_service, serve
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.times import utc_now
from domain import exact_json
from domain.money import Money

_PAGES = Path(__file__).parent / "pages"
_SLOW_LATENCY_MS = 2000
"""Latency of the gateway for an order whose steps the user wants to watch. Chosen, not measured."""
_HOLD = timedelta(minutes=15)
"""How long a seat is reserved. Chosen, not measured."""
_EXPIRED_HOLD = timedelta(minutes=-1)
"""A reservation that has already expired."""


class ShopSettings(NeighbourSettings):
    """The shop's port, and the addresses of the other services.

    A browser must reach the payment API and the Web UI at the addresses given here.
    """

    shop_port: int = 3000
    ordering_url: str = "http://127.0.0.1:5003"
    inventory_url: str = "http://127.0.0.1:5002"
    gateway: Literal["simulator", "stripe"] = "simulator"
    checkout: Literal["token", "hosted"] = "token"
    gateway_url: str = "http://127.0.0.1:5005"
    stripe_url: str = "http://127.0.0.1:5006"
    payment_api_url: str = "http://127.0.0.1:5004"
    temporal_ui_url: str = "http://127.0.0.1:8233"
    temporal_namespace: str = "default"


class Offer(JsonModel):
    """A ticket that can be ordered. `hold`: how long its seat is reserved from now on."""

    name: str
    title: str
    note: str
    price: Annotated[Money, PlainSerializer(str)]
    hold: timedelta = Field(default=_HOLD, exclude=True)
    card: str | None = Field(default="visa", exclude=True)
    """The test card for payments at Stripe; None if the customer gives it on Stripe's page."""


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
        card="chargeDeclined",
    ),
    Offer(
        name="insufficient",
        title="Ticket, too little money",
        note="The simulated gateway finds insufficient funds for amounts that end in .66.",
        price=Money.parse("150.66", "USD"),
        card="chargeDeclinedInsufficientFunds",
    ),
    Offer(
        name="lapsed",
        title="Ticket, seat no longer held",
        note="The reservation has expired, and the seat may be sold to others.",
        price=Money.parse("150.00", "USD"),
        hold=_EXPIRED_HOLD,
    ),
)
AT_STRIPE = (
    Offer(
        name="asked",
        title="Ticket, confirmed at the bank",
        note="The card's bank asks you first (3-D Secure).",
        price=Money.parse("150.00", "USD"),
        card="authenticationRequired",
    ),
)
"""Additional offers if payments are charged at Stripe."""
HOSTED = (
    Offer(
        name="hosted",
        title="Ticket, paid on Stripe's page",
        note="You choose the card there, and can try another one.",
        price=Money.parse("150.00", "USD"),
        card=None,
    ),
)
"""Additional offers if customers can pay on Stripe's page."""


class OrderForm(JsonModel):
    """What the checkout page sends. `slowly`: the gateway takes two seconds for this order."""

    offer: str
    payment_method: ShortText
    slowly: bool = False


class PaymentBody(JsonModel):
    """The request body that the browser sends to the payment API, unchanged."""

    order_id: str
    customer_id: str
    reservation_id: str
    amount: Decimal
    currency: str
    payment_method: str
    payment_method_token: str | None = Field(default=None, exclude_if=lambda token: token is None)


router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"])
async def checkout_page() -> Response:
    return FileResponse(_PAGES / "checkout.html")


@router.api_route("/payment", methods=["GET", "HEAD"])
async def payment_page() -> Response:
    return FileResponse(_PAGES / "payment.html")


@router.get("/addresses")
async def addresses(request: Request) -> Response:
    """The addresses of the payment API and of the Web UI's workflows (null without a Web UI)."""
    settings = _settings(request)
    ui = settings.temporal_ui_url
    workflows = f"{ui}/namespaces/{settings.temporal_namespace}/workflows" if ui else None
    content = {"paymentApi": settings.payment_api_url, "workflows": workflows}
    return json_response(exact_json.dumps(content))


@router.get("/offers")
async def offers(request: Request) -> Response:
    return model_response(_offers(_settings(request)))


@router.post("/orders")
async def place_order(request: Request) -> Response:
    """Create an order of a new customer with a reserved seat; return the payment's body."""
    form = await read_body(request, OrderForm)
    offers = _offers(_settings(request))
    offer = next((each for each in offers if each.name == form.offer), None)
    if offer is None:
        raise ApiError(400, f"there is no offer {form.offer}: GET /offers")
    return model_response(await _place(offer, form, _settings(request)), 201)


async def _place(offer: Offer, form: OrderForm, settings: ShopSettings) -> PaymentBody:
    """Create the order and the reservation. Raises ApiError with 503 if a service fails."""
    is_at_stripe = settings.gateway == "stripe"
    order_id, customer_id, seat_id = (str(uuid4()) for _ in range(3))
    amount, currency = offer.price.amount, offer.price.currency
    order = {"id": order_id, "customerId": customer_id}
    seat = {"id": seat_id, "orderId": order_id, "customerId": customer_id}
    async with create_client() as client:
        await _send(
            client.post,
            f"{settings.ordering_url}/orders",
            {**order, "totalAmount": amount, "currency": currency},
        )
        await _send(
            client.post,
            f"{settings.inventory_url}/reservations",
            {**seat, "expiresAt": utc_now() + offer.hold},
        )
        if form.slowly:
            # For this order only, so that the setting need not be changed back.
            gateway = settings.stripe_url if is_at_stripe else settings.gateway_url
            url = f"{gateway}/settings/{order_id}"
            await _send(client.put, url, {"latencyMs": _SLOW_LATENCY_MS})
    return PaymentBody(
        order_id=order_id,
        customer_id=customer_id,
        reservation_id=seat_id,
        amount=amount,
        currency=currency,
        payment_method=form.payment_method,
        payment_method_token=f"pm_card_{offer.card}" if is_at_stripe and offer.card else None,
    )


def create_client() -> httpx.AsyncClient:
    """The client for the other services. It uses no proxy."""
    return httpx.AsyncClient(trust_env=False)


async def _send(
    send: Callable[..., Awaitable[httpx.Response]], url: str, body: dict[str, Any]
) -> None:
    try:
        (await send(url, content=exact_json.dumps(body))).raise_for_status()
    except httpx.HTTPError:
        error = f"The order cannot be placed: {url} does not answer as it should."
        raise ApiError(503, error) from None


def _offers(settings: ShopSettings) -> tuple[Offer, ...]:
    if settings.gateway != "stripe":
        return OFFERS
    return (*OFFERS, *AT_STRIPE, *(HOSTED if settings.checkout == "hosted" else ()))


def _settings(request: Request) -> ShopSettings:
    settings: ShopSettings = request.app.state.settings
    return settings


def _security_headers(settings: ShopSettings) -> dict[str, str]:
    """The pages run only the shop's own scripts, which call only the shop and the payment API."""
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


def create_app(settings: ShopSettings) -> FastAPI:
    app = create_service("shop", router)
    app.state.settings = settings
    app.mount("/", StaticFiles(directory=_PAGES))
    headers = _security_headers(settings)

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
    serve(create_app(shop_settings), shop_settings, shop_settings.shop_port)
