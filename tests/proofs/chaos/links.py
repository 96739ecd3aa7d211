"""Network connections that can be cut, slowed, stalled and truncated: a TCP proxy per server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from devstack.stack.ports import HOST

CHUNK = 65536


class Link:
    """A proxy to the server at `server_port`, which can break its connections."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self._server_port = server_port
        self._connections: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._truncates = False
        self._delay = 0.0
        self._flows = asyncio.Event()
        self._flows.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connect, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self._abort()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """In the block, all connections are reset, and new ones, too."""
        self._is_cut = True
        self._abort()
        yield
        self._is_cut = False

    @contextmanager
    def slowed(self, seconds: float) -> Iterator[None]:
        """In the block, bytes arrive `seconds` later."""
        self._delay = seconds
        yield
        self._delay = 0.0

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """In the block, nothing arrives. It arrives after the block."""
        self._flows.clear()
        yield
        self._flows.set()

    @contextmanager
    def truncated(self) -> Iterator[None]:
        """In the block, each response ends in its middle, and its connection is reset."""
        self._truncates = True
        yield
        self._truncates = False

    async def _connect(self, caller: asyncio.StreamReader, to_caller: asyncio.StreamWriter) -> None:
        self._connections.add(to_caller)
        with suppress(OSError):
            if not self._is_cut:
                await self._carry(caller, to_caller)
        self._connections.discard(to_caller)
        to_caller.transport.abort()

    async def _carry(self, caller: asyncio.StreamReader, to_caller: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(HOST, self._server_port)
        self._connections.add(to_server)
        ways = [
            asyncio.create_task(self._requests(caller, to_server)),
            asyncio.create_task(self._answers(server, to_caller)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._connections.discard(to_server)
            to_server.transport.abort()

    async def _requests(self, caller: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await self._next(caller):
            server.write(data)
            await server.drain()

    async def _answers(self, server: asyncio.StreamReader, caller: asyncio.StreamWriter) -> None:
        while data := await self._next(server):
            breaks_off = self._truncates
            caller.write(data[: len(data) // 2] if breaks_off else data)
            await caller.drain()
            if breaks_off:
                return

    async def _next(self, sender: asyncio.StreamReader) -> bytes:
        data = await sender.read(CHUNK)
        if self._delay:
            await asyncio.sleep(self._delay)
        await self._flows.wait()
        return data

    def _abort(self) -> None:
        for connection in self._connections:
            connection.transport.abort()
