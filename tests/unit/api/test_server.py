"""The HTTP server's reading of one connection, byte by byte, without a socket."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api import server

PATIENCE_SECONDS = 10
"""For an application that waits for a body which never comes."""
BODY = b'{"amount": 10.00}'
REFUND = (
    b"POST /refund HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"%bContent-Length: 17\r\n\r\n" + BODY
)
CHUNKED = (
    b"POST /refund HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\n\r\n"
    b"a\r\n" + BODY[:10] + b"\r\n7\r\n" + BODY[10:] + b"\r\n0\r\n\r\n"
)
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
JAVA = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
UPGRADES = {
    "h2c": JAVA,
    "websocket": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    "TLS": b"connection: upgrade\r\nupgrade: TLS/1.0\r\n",
    "anything": b"Connection: keep-alive, Upgrade\r\nUPGRADE: \r\n",
    "several": b"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\nUpgrade: IRC/6.9\r\n",
    "not in Connection": b"Upgrade: h2c\r\n",
}


class Heard(NamedTuple):
    """A request as the application was given it."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Wire(asyncio.Transport):
    """What the server writes to a client, and whether it has closed."""

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


class Client:
    """A connection to a server whose application notes what it hears."""

    def __init__(self, answer_seconds: float = 0) -> None:
        self.heard: list[Heard] = []
        self.answered = asyncio.Event()
        self.closed = asyncio.Event()
        self._answer_seconds = answer_seconds
        config = uvicorn.Config(
            self._application, interface="asgi3", log_config=None, ws="none", lifespan="off"
        )
        self._state = ServerState()
        self._protocol = server.BoundedProtocol(config, self._state, {})
        self.wire = Wire(self._close)
        self._protocol.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        if not self.wire.closed:
            self._protocol.data_received(data)

    async def hang_up(self) -> None:
        """Close once everything is answered that has arrived."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._state.tasks:
                    await asyncio.wait(self._state.tasks)
        self.wire.close()

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
        self.heard.append(Heard(scope["method"], scope["path"], scope["headers"], body))
        await asyncio.sleep(self._answer_seconds)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
        )
        await send({"type": "http.response.body"})
        self.answered.set()


async def heard_of(*segments: bytes) -> list[tuple[str, str, bytes]]:
    """What the application hears of a connection that is ended after these segments."""
    client = Client()
    for segment in segments:
        client.send(segment)
    await client.hang_up()
    return [(each.method, each.path, each.body) for each in client.heard]


def splits(data: bytes) -> Iterator[tuple[bytes, ...]]:
    yield (data,)
    for offset in range(1, len(data)):
        yield data[:offset], data[offset:]
    yield tuple(data[offset : offset + 1] for offset in range(len(data)))


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("request_", [REFUND, CHUNKED], ids=["length", "chunks"])
async def test_request_with_upgrade_keeps_its_body_and_its_borders(
    request_: bytes, upgrade: bytes
) -> None:
    data = request_ % upgrade + NEXT + request_ % upgrade + NEXT

    for segments in splits(data):
        heard = await heard_of(*segments)
        assert heard == [("POST", "/refund", BODY), ("GET", "/next", b"")] * 2, segments


async def test_request_with_upgrade_and_without_a_body_hides_nothing_behind_it() -> None:
    get = b"GET /first HTTP/1.1\r\nHost: a\r\n" + JAVA + b"\r\n"

    for segments in splits(get + NEXT):
        assert await heard_of(*segments) == [("GET", "/first", b""), ("GET", "/next", b"")]


async def test_upgrade_is_all_that_is_taken_from_a_head() -> None:
    client = Client()
    client.send(REFUND % (JAVA + b"Idempotency-Key: a:b\r\nX: \r\n"))
    await client.hang_up()

    assert client.heard[0].headers == [
        (b"host", b"a"),
        (b"content-type", b"application/json"),
        (b"connection", b"Upgrade, HTTP2-Settings"),
        (b"http2-settings", b"AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
        (b"idempotency-key", b"a:b"),
        (b"x", b""),
        (b"content-length", b"17"),
    ]


async def test_body_that_looks_like_a_request_is_a_body() -> None:
    inner = b"POST /inner HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    head = b"POST /outer HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n" % (JAVA, len(inner))

    for segments in splits(head + inner + NEXT):
        assert await heard_of(*segments) == [("POST", "/outer", inner), ("GET", "/next", b"")]


async def test_thousand_upgrades_in_one_segment() -> None:
    heard = await heard_of((REFUND % JAVA) * 1000)

    assert heard == [("POST", "/refund", BODY)] * 1000


REFUSED = {
    "CONNECT to an authority": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "CONNECT to a path": b"CONNECT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 34\r\n\r\n" + NEXT,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + NEXT,
    "length and chunks": CHUNKED % (JAVA + b"Content-Length: 5\r\n") + NEXT,
    "two lengths": REFUND % (JAVA + b"Content-Length: 5\r\n") + NEXT,
    "length of two values": REFUND.replace(b"17", b"17, 17") % JAVA + NEXT,
    "two hosts": REFUND % (JAVA + b"Host: b\r\n") + NEXT,
    "coding that is unknown": CHUNKED.replace(b"chunked", b"gzip") % JAVA + NEXT,
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_what_has_no_certain_borders_is_refused_and_nothing_behind_it_is_read(
    data: bytes,
) -> None:
    for segments in splits(data):
        client = Client()
        for segment in segments:
            client.send(segment)
        await client.hang_up()

        assert client.heard == [], segments
        assert client.wire.written.startswith(b"HTTP/1.1 400 "), segments
        assert client.wire.written.count(b"content-length: ") == 1
        assert client.wire.ended


async def test_upgrades_count_as_headers() -> None:
    client = Client()
    client.send(REFUND % (b"Connection: Upgrade\r\n" + b"Upgrade: a\r\n" * 100))
    await client.hang_up()

    assert client.heard == []
    assert client.wire.written.startswith(b"HTTP/1.1 431 ")


async def test_trailers_are_no_headers() -> None:
    client = Client()
    client.send(CHUNKED.replace(b"0\r\n\r\n", b"0\r\nIdempotency-Key: b\r\n\r\n") % b"" + NEXT)
    await client.hang_up()

    assert [each.path for each in client.heard] == ["/refund", "/next"]
    assert b"idempotency-key" not in dict(client.heard[0].headers)


async def test_endless_trailers_are_refused() -> None:
    client = Client()
    client.send(CHUNKED.removesuffix(b"\r\n") % b"" + b"X: ")
    for _ in range(18):
        client.send(b"x" * 1000)

    assert client.wire.ended


async def test_what_arrives_after_a_refusal_is_discarded_until_the_connection_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "DISCARD_SECONDS", SHORT)
    client = Client()
    client.send(b"nonsense\r\n\r\n")
    assert client.wire.ended
    assert not client.wire.closed

    client.send(NEXT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.closed.wait()

    assert client.heard == []
    assert client.wire.written.count(b"content-length: ") == 1


SHORT = 0.02


async def refused_as_too_slow(client: Client) -> bool:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.closed.wait()
    return b"HTTP/1.1 408 " in client.wire.written


@pytest.mark.parametrize("between", [b"", b"\r\n"], ids=["nothing", "an empty line"])
@pytest.mark.parametrize("after", [b"\r\n", b"GET /never HTTP/1.1\r\nHost: "], ids=["line", "head"])
async def test_what_comes_behind_a_slow_answer_has_a_deadline(
    monkeypatch: pytest.MonkeyPatch, between: bytes, after: bytes
) -> None:
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SHORT)
    client = Client(answer_seconds=5 * SHORT)
    client.send(NEXT)
    client.send(between)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.answered.wait()

    client.send(after)

    assert await refused_as_too_slow(client) is (b"GET" in after)


async def test_request_has_its_time_whenever_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    client.send(b"\r\n")
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SHORT)

    client.send(b"GET /never HTTP/1.1\r\nHost: ")

    assert await refused_as_too_slow(client)


async def test_upgrade_does_not_begin_a_request_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SHORT)
    client.send(b"POST /never HTTP/1.1\r\n")
    monkeypatch.setattr(server, "RECEIVE_SECONDS", 100)

    client.send(b"Host: a\r\n" + JAVA + b"Content-Length: 2\r\n\r\n")

    assert await refused_as_too_slow(client)
