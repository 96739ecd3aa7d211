"""Simulated neighbours inside the test, each with an adapter that calls it."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from fastapi import FastAPI

from activities.adapters.json_client import JsonClient
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.stripe import app as stripe_double
from domain.errors import ErrorCode
from tests.support.json_neighbour import Serve
from tests.support.stripe_gateway import StripeDouble


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """A simulator in this process: a client for the test and the adapter's neighbour."""
    apps: list[FastAPI] = []

    def serve(module: ModuleType, unavailable: ErrorCode) -> tuple[httpx.AsyncClient, JsonClient]:
        apps.append(module.create_app(NeighbourSettings(devstack_data=tmp_path)))
        transport = httpx.ASGITransport(apps[-1])
        client = httpx.AsyncClient(transport=transport, base_url="http://neighbour")
        return client, JsonClient(client, "The neighbour", unavailable, 5)

    yield serve
    for app in apps:
        app.state.journal.close()


@pytest.fixture
async def stripe(tmp_path: Path) -> AsyncIterator[StripeDouble]:
    """The adapter for Stripe on the double, which has no limit of requests here."""
    app = stripe_double.create_app(
        NeighbourSettings(devstack_data=tmp_path, stripe_requests_per_second=0)
    )
    transport = httpx.ASGITransport(app)
    yield StripeDouble(httpx.AsyncClient(transport=transport, base_url="http://stripe"))
    app.state.journal.close()
