"""A raw connection to the API: bytes that a test sends, and the responses to them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import HttpUrl

from api.server import RECEIVE_SECONDS
from domain import exact_json
from tests.support.system import System

GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST /payments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
LESS_THAN_USUAL = RECEIVE_SECONDS - 1
"""Seconds. A response within this time did not wait until RECEIVE_SECONDS were over. The limit is
long, because the machine may be busy."""


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            pass  # it has refused before it has read everything

    async def rest(self, seconds: float = LESS_THAN_USUAL) -> bytes:
        """All that the server sends until it closes the connection."""
        async with asyncio.timeout(seconds):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def until(self, text: bytes) -> bytes:
        async with asyncio.timeout(20):
            return await self._reader.readuntil(text)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    url = HttpUrl(address)
    reader, writer = await asyncio.open_connection((url.host or "").strip("[]"), url.port)
    yield Connection(reader, writer)
    writer.close()


async def exchange(system: System, data: bytes) -> bytes:
    """Send the bytes on a new connection. Returns all responses, once the server has closed."""
    async with connected(system.url("payment_api")) as connection:
        await connection.send(data)
        return await connection.rest()


def statuses(answer: bytes) -> list[bytes]:
    """The status lines of the responses, in their order."""
    lines: list[bytes] = re.findall(rb"HTTP/1[.]1 \d{3} [^\r]*", answer)
    return lines


def assert_refused(answer: bytes, status: int, code: str) -> None:
    """Check that there is one response with this status and code, and that the server closes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"connection: close" in head.lower()
    assert len(statuses(answer)) == 1
    assert exact_json.loads(body)["code"] == code
