"""A neighbour's HTTP responses without a server, and our clients that read them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import pytest

from activities.adapters.inventory import HttpInventory
from activities.adapters.json_client import MAX_RESPONSE_BYTES, JsonClient
from activities.adapters.ordering import HttpOrdering
from domain.errors import ErrorCode, PaymentError
from domain.verification import Order, Reservation

ORDER, CUSTOMER, SEAT = (UUID(f"0f8fad5b-d9cb-469f-a165-70867728950{digit}") for digit in "123")

Handler = Callable[[httpx.Request], Any]
Serve = Callable[[ModuleType, ErrorCode], tuple[httpx.AsyncClient, JsonClient]]
"""Runs a simulated neighbour in this process: a client for the test, and one for the adapter."""


class FixedResponse:
    """A neighbour that always gives the same response, and keeps the last request."""

    def __init__(self, content: Any = b"", status: int = 200, **headers: str) -> None:
        self._content = content if isinstance(content, bytes | str) else json.dumps(content)
        self._status = status
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request = httpx.Request("GET", "http://nobody")

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        return httpx.Response(self._status, content=self._content, headers=self._headers)

    def __str__(self) -> str:
        """Its status and the beginning of its body: the id of a test case."""
        return f"{self._status} {self._content[:30]!s}"


def neighbour(
    handler: Handler,
    unavailable: ErrorCode = ErrorCode.ORDERING_UNAVAILABLE,
    seconds: float = 30,
) -> JsonClient:
    transport = httpx.MockTransport(handler)
    client = httpx.AsyncClient(transport=transport, base_url="http://neighbour/base")
    return JsonClient(client, "The neighbour", unavailable, seconds)


async def code_of(call: Awaitable[object]) -> ErrorCode:
    """The code of the PaymentError that the call raises."""
    with pytest.raises(PaymentError) as caught:
        await call
    return caught.value.code


async def fetch_order(handler: Handler, *, accept_without_state: bool = False) -> Order:
    return await HttpOrdering(
        neighbour(handler), accept_without_state=accept_without_state
    ).fetch_order(ORDER)


async def fetch_reservation(handler: Handler) -> Reservation:
    inventory = HttpInventory(neighbour(handler, ErrorCode.INVENTORY_UNAVAILABLE))
    return await inventory.fetch_reservation(SEAT)


def raises(error: Exception) -> Handler:
    """A handler that raises this error of the HTTP client."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


async def silence(_: httpx.Request) -> httpx.Response:
    """Never responds."""
    await asyncio.Event().wait()
    raise AssertionError


def drip(_: httpx.Request) -> httpx.Response:
    """Sends a byte a millisecond, without end."""

    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.001)

    return httpx.Response(200, content=drops())


UNUSABLE: dict[str, Handler] = {
    **{str(status): FixedResponse({}, status) for status in (429, 500, 502, 503, 504)},
    "refused": raises(httpx.ConnectError("refused")),
    "timeout": raises(httpx.ReadTimeout("slow")),
    "cut": raises(httpx.RemoteProtocolError("cut")),
    "silence": silence,
    "drip": drip,
    "empty": FixedResponse(),
    "page": FixedResponse("<html>"),
    "truncated": FixedResponse('{"state": "pend'),
    "binary": FixedResponse(b"\xff\xfe\x00"),
    "deep": FixedResponse("[" * 100_000),
    "bad gzip": FixedResponse("{}", content_encoding="gzip"),
    "too long": FixedResponse('"' + "x" * MAX_RESPONSE_BYTES + '"'),
    "redirect": FixedResponse("", 302, location="http://elsewhere/"),
}
"""Handlers that send no usable response: none, a broken one, or a redirect. After each of them
nobody knows whether the request was processed."""
