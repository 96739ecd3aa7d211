"""An endpoint for the events of the Stripe-shaped gateway, inside the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import stripe

from devstack.neighbours.stripe.deliveries import Deliveries
from tests.unit.devstack.stripe_double import Double

URL = "http://api/webhooks/stripe"
CURRENT, PREVIOUS = "whsec_simulated", "whsec_previous"


class Endpoint:
    """The API's side: keeps what it is sent, and answers with the next of these statuses, or 200.

    Without a status, the connection breaks.
    """

    def __init__(self, *statuses: int | None) -> None:
        self.received: list[httpx.Request] = []
        self._statuses = [*statuses]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        status = self._statuses.pop(0) if self._statuses else 200
        if status is None:
            raise httpx.ConnectError("the endpoint is down")
        return httpx.Response(status)

    def verified(self, secret: str = CURRENT) -> list[Any]:
        """The events that the official client accepts with this secret."""
        found = []
        for request in self.received:
            try:
                header = request.headers["stripe-signature"]
                found.append(stripe.Webhook.construct_event(request.content, header, secret))
            except stripe.SignatureVerificationError:
                continue
        return found

    def types(self) -> list[str]:
        return [json.loads(each.content)["type"] for each in self.received]


@asynccontextmanager
async def sending(double: Double, endpoint: Endpoint) -> AsyncIterator[Deliveries]:
    """Send the events of the account while the block runs."""
    account = double.http._transport.app.state.stripe.account  # type: ignore[attr-defined]
    client = httpx.AsyncClient(transport=httpx.MockTransport(endpoint.answer))
    async with Deliveries(account, URL, CURRENT, PREVIOUS, client) as deliveries:
        yield deliveries


async def until_sent(double: Double, deliveries: Deliveries) -> None:
    """Wait until all events are sent."""
    unsent = double.http._transport.app.state.stripe.account.outbox.unsent  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while unsent:
            deliveries.begin_due()
            await asyncio.sleep(0.01)


async def sent_to(double: Double, endpoint: Endpoint) -> Endpoint:
    async with sending(double, endpoint) as deliveries:
        await until_sent(double, deliveries)
    return endpoint
