"""The official client and a plain HTTP client for tests of the Stripe-shaped gateway."""

import asyncio
from collections.abc import Awaitable
from time import time
from typing import Any

import httpx
import pytest
import stripe

from tests.support.stripe_client import CHECKOUT, MANUAL, official_client
from tests.unit.devstack.neighbours import client_of

RETURN_URL = "https://shop.example/payment?id=p&x=1"


class Double:
    """The double inside the test, with the official client and a plain one."""

    def __init__(self, app: Any) -> None:
        self.http: httpx.AsyncClient = client_of(app)
        self.client: stripe.StripeClient = official_client(self.http)

    @property
    def intents(self) -> stripe.PaymentIntentService:
        return self.client.v1.payment_intents

    async def create(self, key: str | None = None, **params: Any) -> stripe.PaymentIntent:
        body: Any = {**MANUAL, **params}
        return await self.intents.create_async(body, options(key))

    async def confirm(
        self, intent: str, card: str = "visa", key: str | None = None, **params: Any
    ) -> stripe.PaymentIntent:
        body: Any = {"payment_method": f"pm_card_{card}", **params}
        return await self.intents.confirm_async(intent, body, options(key))

    async def capture(self, intent: str, key: str | None = None) -> stripe.PaymentIntent:
        return await self.intents.capture_async(intent, {}, options(key))

    async def cancel(self, intent: str, key: str | None = None) -> stripe.PaymentIntent:
        return await self.intents.cancel_async(intent, {}, options(key))

    async def paid(self, **params: Any) -> stripe.PaymentIntent:
        """A PaymentIntent that is captured."""
        intent = await self.create(**params)
        await self.confirm(intent.id)
        return await self.capture(intent.id)

    async def refund(
        self, intent: str, amount: int | None = None, key: str | None = None, **params: Any
    ) -> stripe.Refund:
        body: Any = {"payment_intent": intent, **({"amount": amount} if amount else {}), **params}
        return await self.client.v1.refunds.create_async(body, options(key))

    @property
    def sessions(self) -> Any:
        return self.client.v1.checkout.sessions

    async def open_session(self, key: str | None = None, **params: Any) -> Any:
        """A Checkout Session that lives for an hour."""
        body: Any = {**CHECKOUT, "expires_at": int(time()) + 3600, **params}
        return await self.sessions.create_async(body, options(key))

    async def expanded(self, session: str) -> Any:
        """The session, with its PaymentIntent and its charge."""
        params: Any = {"expand": ["payment_intent.latest_charge"]}
        return await self.sessions.retrieve_async(session, params)

    async def asked(self, card: str = "authenticationRequired", **params: Any) -> Any:
        """A PaymentIntent that waits because the bank asks the customer."""
        intent = await self.create(**params)
        return await self.confirm(intent.id, card, return_url=RETURN_URL)

    async def act(self, identifier: str, does: str) -> None:
        """Make the customer act."""
        await self.post(f"/customers/{identifier}/act", **{"as": does})

    async def told(self) -> list[str]:
        """The types of the events, oldest first."""
        return [each["type"] for each in (await self.http.get("/events")).json()]

    async def put(self, path: str, **members: Any) -> Any:
        response = await self.http.put(path, json=members)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, **members: Any) -> None:
        response = await self.http.post(path, json=members)
        assert response.status_code == 200, response.text

    async def ledger(self) -> list[tuple[str, str, str]]:
        """Type, key and amount of each entry of the ledger, oldest first."""
        entries = (await self.http.get("/ledger")).json()
        return [
            (each["type"], each["data"]["key"], f"{each['data']['amount']:.2f}") for each in entries
        ]

    async def is_running(self, intent: str) -> None:
        """Wait until a request that takes time has begun with this PaymentIntent."""
        executor = self.http._transport.app.state.stripe.executor  # type: ignore[attr-defined]
        while intent not in executor._locked:  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(0.001)


def options(key: str | None) -> Any:
    return {"idempotency_key": key} if key else {}


async def refused(call: Awaitable[object]) -> stripe.StripeError:
    """The error of the official client that the call raises."""
    with pytest.raises(stripe.StripeError) as caught:
        await call
    return caught.value


async def error_of(call: Awaitable[object]) -> tuple[int | None, str, str | None, str | None]:
    """Status, type, code and parameter of the error that the call gets."""
    error = await refused(call)
    found: Any = error.json_body
    members = found["error"]
    return error.http_status, members["type"], members.get("code"), members.get("param")
