"""A request that arrives too slowly is refused, and delays no other request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from api import server
from domain import exact_json
from tests.support.raw_http import GET, HEAD, Connection, assert_refused, connected, statuses
from tests.support.stacks import another_server
from tests.support.system import System

SECONDS = 0.5


@pytest.fixture
async def impatient(system: System, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The address of an API whose time limit for a request is half a second."""
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SECONDS)
    async with another_server(system.stack) as address:
        yield address


async def trickle(connection: Connection, data: bytes) -> None:
    for byte in data:
        await connection.send(bytes([byte]))
        await asyncio.sleep(SECONDS / 20)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\n",
        b"P",
        HEAD + b"Content-Length: 10\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
)
async def test_request_that_does_not_arrive_is_given_up(impatient: str, data: bytes) -> None:
    async with connected(impatient) as connection:
        await connection.send(data)

        assert_refused(await connection.rest(), 408, "REQUEST_TOO_SLOW")


@pytest.mark.parametrize("head", [b"GET /health HTTP/1.1\r\nX: ", HEAD])
async def test_request_that_trickles_in_is_given_up(impatient: str, head: bytes) -> None:
    async with connected(impatient) as connection:
        await connection.send(head)
        trickling = asyncio.create_task(trickle(connection, b"Y: " + b"x" * 100))

        assert_refused(await connection.rest(), 408, "REQUEST_TOO_SLOW")
        trickling.cancel()


@pytest.mark.parametrize("data", [b"", b"\r\n"])
async def test_connection_on_which_nothing_comes_is_closed(impatient: str, data: bytes) -> None:
    async with connected(impatient) as connection:
        await connection.send(data)

        assert await connection.rest() == b""


async def test_answer_that_takes_longer_is_awaited(system: System, impatient: str) -> None:
    order = await system.an_order()
    body = exact_json.dumps(order.request())
    head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    async with system.gateway(latencyMs=1500), connected(impatient) as connection:
        await connection.send(head + body + b"\r\n")
        answer = await connection.rest(60)

    assert statuses(answer) == [b"HTTP/1.1 200 OK"]


async def test_slow_connections_do_not_delay_another_one(system: System) -> None:
    address = system.url("payment_api")
    async with AsyncExitStack() as stack:
        for _ in range(200):
            connection = await stack.enter_async_context(connected(address))
            await connection.send(HEAD + b"Content-Length: 10\r\n\r\n{")
        async with connected(address) as connection:
            await connection.send(GET)

            assert (await connection.until(b"}")).startswith(b"HTTP/1.1 200 ")
