"""Unit tests reach nothing outside of their process: whoever tries to connect fails."""

import socket
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from bootstrap.settings import Settings
from tests.unit.backstage import Backstage


@pytest.fixture(autouse=True)
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a unit test tried to connect to a server")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app(Settings.model_construct())


@pytest.fixture
def backstage(app: FastAPI) -> Backstage:
    backstage = Backstage()
    app.state.parts = backstage.parts()
    return backstage


@pytest.fixture
async def http(app: FastAPI, backstage: Backstage) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose backstage the test sets."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://payments",
        headers={"content-type": "application/json"},
    ) as client:
        yield client
