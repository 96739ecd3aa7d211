"""A cheap HTTP/1.1 connection for a load generator: one request at a time, kept alive."""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple, Self, cast

import httptools

from devstack.stack.ports import HOST


class Answer(NamedTuple):
    """The status of a response, and whether it has a `Retry-After`."""

    status: HTTPStatus
    says_when_to_come_back: bool


class Connection(asyncio.Protocol):
    """A connection to a server on this machine."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[Answer] | None = None
        self._says_when = False
        self._parser = httptools.HttpResponseParser(self)

    @classmethod
    async def open(cls, port: int) -> Self:
        """Raises OSError if nobody listens on the port."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return connection

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    async def post(self, path: str, body: bytes) -> Answer:
        """Send a JSON body. Raises ConnectionError if no response comes.

        If the caller is cancelled, the connection is closed: its next response would be this one.
        """
        self._answered = asyncio.get_running_loop().create_future()
        self._parser, self._says_when = httptools.HttpResponseParser(self), False
        head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head.encode(), len(body), body))
        try:
            return await self._answered
        except asyncio.CancelledError:
            self._transport.abort()
            raise

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(ConnectionError(f"no answer came: {exc}"))

    def on_header(self, name: bytes, _: bytes) -> None:
        self._says_when |= name.lower() == b"retry-after"

    def on_message_complete(self) -> None:
        assert self._answered
        status = HTTPStatus(self._parser.get_status_code())
        self._answered.set_result(Answer(status, self._says_when))


@dataclass
class Connections:
    """Connections to the server at `port`, which are kept for the next requests."""

    port: int
    _idle: list[Connection] = field(default_factory=list)

    async def post(self, path: str, body: bytes) -> Answer:
        """Send a JSON body. Raises OSError if no response comes."""
        connection = await self._take()
        answer = await connection.post(path, body)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close all connections that no request uses."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return await Connection.open(self.port)
