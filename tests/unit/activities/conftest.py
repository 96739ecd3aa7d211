"""Simulated neighbours inside the test, each with an adapter that calls it."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from fastapi import FastAPI

from activities.adapters.json_client import JsonClient
from devstack.neighbours.settings import NeighbourSettings
from domain.errors import ErrorCode
from tests.support.json_neighbour import Serve


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
