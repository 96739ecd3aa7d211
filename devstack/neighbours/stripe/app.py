"""The Stripe-shaped gateway over HTTP. It imitates https://docs.stripe.com/api.

It refuses everything that Stripe refuses, and all parameters and methods that it does not have.
"""

import asyncio

from fastapi import APIRouter, FastAPI

from devstack.neighbours.service import create_service
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.stripe import api, checkout, controls, event_controls, pages, queries
from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.behaviour import Behaviour, Limits
from devstack.neighbours.stripe.customers import catch_up
from devstack.neighbours.stripe.deliveries import Deliveries
from devstack.neighbours.stripe.protocol import Protocol, add_error_handlers

_TICK_SECONDS = 0.05
"""The pause between two checks for due events, customers and sessions. Chosen, not measured."""


def create_app(settings: NeighbourSettings) -> FastAPI:
    account = Account(
        settings.journal_path("stripe"),
        Behaviour(
            success_rate=settings.gateway_success_rate, latency_ms=settings.gateway_latency_ms
        ),
        Limits(requests_per_second=settings.stripe_requests_per_second),
        settings.gateway_seed,
        address=settings.stripe_url or f"http://{settings.devstack_host}:{settings.stripe_port}",
        has_endpoint=bool(settings.stripe_webhook_url),
    )
    deliveries = Deliveries(
        account,
        settings.stripe_webhook_url,
        settings.stripe_webhook_secret,
        settings.stripe_webhook_previous_secret,
    )
    router = APIRouter()
    for module in (api, checkout, queries, controls, event_controls, pages):
        router.include_router(module.router)
    app = create_service("stripe", router, account.journal, lambda: _work(account, deliveries))
    app.state.stripe = Protocol(account, settings.stripe_api_key)
    app.state.deliveries = deliveries
    add_error_handlers(app)
    return app


async def _work(account: Account, deliveries: Deliveries) -> None:
    """Send due events and make due changes until the task is cancelled."""
    async with deliveries:
        while True:
            catch_up(account)
            deliveries.begin_due()
            await asyncio.sleep(_TICK_SECONDS)
