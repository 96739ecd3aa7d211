"""Unit tests use no network: a connection attempt fails the test."""

import socket
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI

from api.main import build_app
from bootstrap.settings import Settings
from tests.support.fake_resources import FakeResources


@pytest.fixture(autouse=True)
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a unit test tried to connect to a server")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return build_app(Settings.model_construct())


@pytest.fixture
def resources(app: FastAPI) -> FakeResources:
    resources = FakeResources()
    app.state.resources = resources.build()
    return resources


@pytest.fixture
async def http(app: FastAPI, resources: FakeResources) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose resources the test sets."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://payments",
        headers={"content-type": "application/json"},
    ) as client:
        yield client
