"""How the HTTP server reads one connection, byte by byte, without a socket."""

import asyncio
from collections.abc import Iterator

import pytest

from api import server
from tests.support.server_connection import PATIENCE_SECONDS, Connection

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


async def requests_in(*segments: bytes) -> list[tuple[str, str, bytes]]:
    """The requests that the application receives on a connection that ends after these segments."""
    client = Connection()
    for segment in segments:
        client.send(segment)
    await client.disconnect()
    return [(each.method, each.path, each.body) for each in client.received]


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
        received = await requests_in(*segments)
        assert received == [("POST", "/refund", BODY), ("GET", "/next", b"")] * 2, segments


async def test_request_with_upgrade_and_without_a_body_hides_nothing_behind_it() -> None:
    get = b"GET /first HTTP/1.1\r\nHost: a\r\n" + JAVA + b"\r\n"

    for segments in splits(get + NEXT):
        assert await requests_in(*segments) == [("GET", "/first", b""), ("GET", "/next", b"")]


async def test_upgrade_is_all_that_is_taken_from_a_head() -> None:
    client = Connection()
    client.send(REFUND % (JAVA + b"Idempotency-Key: a:b\r\nX: \r\n"))
    await client.disconnect()

    assert client.received[0].headers == [
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
        assert await requests_in(*segments) == [("POST", "/outer", inner), ("GET", "/next", b"")]


async def test_a_thousand_upgrades_in_one_segment_are_all_received() -> None:
    received = await requests_in((REFUND % JAVA) * 1000)

    assert received == [("POST", "/refund", BODY)] * 1000


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
        client = Connection()
        for segment in segments:
            client.send(segment)
        await client.disconnect()

        assert client.received == [], segments
        assert client.transport.written.startswith(b"HTTP/1.1 400 "), segments
        assert client.transport.written.count(b"content-length: ") == 1
        assert client.transport.ended


async def test_upgrades_count_as_headers() -> None:
    client = Connection()
    client.send(REFUND % (b"Connection: Upgrade\r\n" + b"Upgrade: a\r\n" * 100))
    await client.disconnect()

    assert client.received == []
    assert client.transport.written.startswith(b"HTTP/1.1 431 ")


async def test_trailers_are_no_headers() -> None:
    client = Connection()
    client.send(CHUNKED.replace(b"0\r\n\r\n", b"0\r\nIdempotency-Key: b\r\n\r\n") % b"" + NEXT)
    await client.disconnect()

    assert [each.path for each in client.received] == ["/refund", "/next"]
    assert b"idempotency-key" not in dict(client.received[0].headers)


async def test_endless_trailers_are_refused() -> None:
    client = Connection()
    client.send(CHUNKED.removesuffix(b"\r\n") % b"" + b"X: ")
    for _ in range(18):
        client.send(b"x" * 1000)

    assert client.transport.ended


async def test_what_arrives_after_a_refusal_is_discarded_until_the_connection_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "DISCARD_SECONDS", SHORT)
    client = Connection()
    client.send(b"nonsense\r\n\r\n")
    assert client.transport.ended
    assert not client.transport.closed

    client.send(NEXT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.closed.wait()

    assert client.received == []
    assert client.transport.written.count(b"content-length: ") == 1


SHORT = 0.02


async def refused_as_too_slow(client: Connection) -> bool:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.closed.wait()
    return b"HTTP/1.1 408 " in client.transport.written


@pytest.mark.parametrize("between", [b"", b"\r\n"], ids=["nothing", "an empty line"])
@pytest.mark.parametrize("after", [b"\r\n", b"GET /never HTTP/1.1\r\nHost: "], ids=["line", "head"])
async def test_what_comes_behind_a_slow_answer_has_a_deadline(
    monkeypatch: pytest.MonkeyPatch, between: bytes, after: bytes
) -> None:
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SHORT)
    client = Connection(answer_seconds=5 * SHORT)
    client.send(NEXT)
    client.send(between)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await client.answered.wait()

    client.send(after)

    assert await refused_as_too_slow(client) is (b"GET" in after)


async def test_request_has_its_time_whenever_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Connection()
    client.send(b"\r\n")
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SHORT)

    client.send(b"GET /never HTTP/1.1\r\nHost: ")

    assert await refused_as_too_slow(client)


async def test_upgrade_does_not_begin_a_request_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Connection()
    monkeypatch.setattr(server, "RECEIVE_SECONDS", SHORT)
    client.send(b"POST /never HTTP/1.1\r\n")
    monkeypatch.setattr(server, "RECEIVE_SECONDS", 100)

    client.send(b"Host: a\r\n" + JAVA + b"Content-Length: 2\r\n\r\n")

    assert await refused_as_too_slow(client)
