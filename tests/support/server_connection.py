"""A connection to the HTTP server without a socket: a test sends bytes, and sees what arrives."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api import server

PATIENCE_SECONDS = 10
"""How long a test waits for the application, which may itself wait for a body that never comes."""


class ReceivedRequest(NamedTuple):
    """A request as the application received it."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class RecordingTransport(asyncio.Transport):
    """Records what the server writes to a client, and whether it has closed the connection."""

    def __init__(self, on_close: Callable[[], None]) -> None:
        super().__init__()
        self.written = b""
        self.ended = False
        self.closed = False
        self._on_close = on_close

    def write(self, data: Any) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._on_close)

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    """A connection to a server whose application records the requests that it receives."""

    def __init__(self, answer_seconds: float = 0) -> None:
        self.received: list[ReceivedRequest] = []
        self.answered = asyncio.Event()
        self.closed = asyncio.Event()
        self._answer_seconds = answer_seconds
        config = uvicorn.Config(
            self._application, interface="asgi3", log_config=None, ws="none", lifespan="off"
        )
        self._state = ServerState()
        self._protocol = server.BoundedProtocol(config, self._state, {})
        self.transport = RecordingTransport(self._close)
        self._protocol.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        if not self.transport.closed:
            self._protocol.data_received(data)

    async def disconnect(self) -> None:
        """Close once everything is answered that has arrived."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._state.tasks:
                    await asyncio.wait(self._state.tasks)
        self.transport.close()

    def _close(self) -> None:
        self.closed.set()
        self._protocol.connection_lost(None)

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.received.append(
            ReceivedRequest(scope["method"], scope["path"], scope["headers"], body)
        )
        await asyncio.sleep(self._answer_seconds)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
        )
        await send({"type": "http.response.body"})
        self.answered.set()
