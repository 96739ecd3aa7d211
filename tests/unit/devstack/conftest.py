"""Simulated neighbours that run inside the test, without a server."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from devstack.neighbours import gateway
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.stripe import app as stripe_double
from tests.unit.devstack.neighbours import Start, client_of
from tests.unit.devstack.stripe_double import Double


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a neighbour with these settings. A second start in the same test is a restart."""
    apps: list[FastAPI] = []

    def start(neighbour: ModuleType, **settings: Any) -> FastAPI:
        apps.append(neighbour.create_app(NeighbourSettings(devstack_data=tmp_path, **settings)))
        return apps[-1]

    yield start
    for app in apps:
        app.state.journal.close()


@pytest.fixture
def client(start: Start) -> httpx.AsyncClient:
    return client_of(start(gateway))


@pytest.fixture
def double(start: Start) -> Double:
    """The Stripe-shaped gateway, without a limit of requests."""
    return Double(start(stripe_double, stripe_requests_per_second=0))
