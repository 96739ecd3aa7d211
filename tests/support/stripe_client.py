"""Stripe's official client, for tests: it decides whether the double speaks Stripe's protocol."""

from collections.abc import Awaitable, Mapping
from typing import Any

import httpx
import stripe

from devstack.neighbours.stripe.events import VERSION

API_KEY = "sk_test_simulated"
"""The key that the double takes (`NeighbourSettings.stripe_api_key`)."""

MANUAL: dict[str, Any] = {
    "amount": 15_000,
    "currency": "usd",
    "capture_method": "manual",
    "payment_method_types": ["card"],
    "metadata": {"payment_id": "p", "order_id": "order", "key": "pay_p_charge"},
}
"""The parameters of a PaymentIntent that is captured later."""
CHECKOUT: dict[str, Any] = {
    "mode": "payment",
    "payment_method_types": ["card"],
    "line_items": [
        {
            "quantity": 1,
            "price_data": {
                "currency": "usd",
                "unit_amount": 15_000,
                "product_data": {"name": "Order <1> & more"},
            },
        }
    ],
    "success_url": "https://shop.example/paid?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://shop.example/left",
    "payment_intent_data": {"capture_method": "manual", "metadata": MANUAL["metadata"]},
    "metadata": {"key": "of the session"},
}
"""The parameters of a Checkout Session."""


class _OverHttpx(stripe.HTTPClient):
    """Sends the official client's requests through an httpx client of ours."""

    name = "httpx"

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._http = http

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        response = await self._http.request(method, url, headers=headers, content=post_data)
        return response.content, response.status_code, response.headers

    def sleep_async(self, secs: float) -> Awaitable[None]:  # noqa: ARG002 (named by the base class)
        raise AssertionError("the official client wants to retry")

    async def close_async(self) -> None:
        await self._http.aclose()


def official_client(
    http: httpx.AsyncClient, *, api_key: str = API_KEY, version: str = VERSION
) -> stripe.StripeClient:
    """The official client, without retries and without telemetry, for the server of `http`."""
    stripe.enable_telemetry = False  # it would write a file, and send this machine's name
    return stripe.StripeClient(
        api_key,
        stripe_version=version,
        base_addresses={"api": str(http.base_url).rstrip("/")},
        max_network_retries=0,
        http_client=_OverHttpx(http),
    )
