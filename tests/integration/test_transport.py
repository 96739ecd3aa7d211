"""The API's server on raw sockets: requests that are malformed, too large or unusual."""

import asyncio

import pytest

from devstack.stack.ports import HOST
from domain import exact_json
from tests.support.raw_http import GET, HEAD, assert_refused, connected, exchange, statuses
from tests.support.stacks import another_server
from tests.support.system import System

SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
MALFORMED = {
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET /health\r\n\r\n",
    "version 9": b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "bare LF": b"GET /health HTTP/1.1\nHost: a\n\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "space before a colon": b"GET /health HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
    "folded header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "length and chunks": HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    + SMUGGLED,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}" + GET,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "length in words": HEAD + b"Content-Length: ten\r\n\r\n",
    "endless length": HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "strange coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    "chunk of nonsense": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
}
TOO_LARGE = {
    "one long header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 10_000_000,
    "many headers": b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    "101 headers": b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    "long path": b"GET /" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "endless empty lines": b"\r\n" * 1_000_000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_request_is_refused_and_nothing_behind_it_is_read(
    system: System, data: bytes
) -> None:
    assert_refused(await exchange(system, data), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        MALFORMED["no host"],
    ],
)
async def test_every_response_has_the_security_headers(system: System, data: bytes) -> None:
    head, _, _ = (await exchange(system, data)).lower().partition(b"\r\n\r\n")

    assert b"\r\nx-content-type-options: nosniff" in head
    assert b"\r\ncontent-security-policy: frame-ancestors 'none'" in head


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_head_that_is_too_large_is_refused(system: System, data: bytes) -> None:
    assert_refused(await exchange(system, data), 431, "HEADERS_TOO_LARGE")


async def test_large_head_is_refused_before_it_has_arrived(system: System) -> None:
    async with connected(system.url("payment_api")) as connection:
        await connection.send(b"GET /health HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(18):
            await connection.send(b"x" * 1000)
            await asyncio.sleep(0.01)
        assert_refused(await connection.rest(), 431, "HEADERS_TOO_LARGE")


async def test_hundred_headers_are_read(system: System) -> None:
    data = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + b"X: y\r\n" * 98 + b"\r\n"

    assert (await exchange(system, data)).startswith(b"HTTP/1.1 200 ")


async def test_answer_to_head_has_no_body(system: System) -> None:
    answer = await exchange(system, GET.replace(b"GET", b"HEAD") + b"nonsense\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: " in head
    assert body == b""


async def test_answers_of_one_connection_keep_their_order(system: System) -> None:
    order = await system.an_order()
    body = exact_json.dumps(order.request())
    pay = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    answer = await exchange(system, pay + GET + b"nonsense\r\n\r\n")

    assert statuses(answer) == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK"]
    assert answer.index(b'"success":true') < answer.index(b"Healthy")


async def test_malformed_body_does_not_take_the_place_of_an_answer(system: System) -> None:
    order = await system.an_order()
    body = exact_json.dumps(order.request())
    pay = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    answer = await exchange(system, pay + HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"success":true' in answer


UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "another": b"Connection: Upgrade\r\nUpgrade: TLS/1.0, IRC/6.9\r\n",
}


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
async def test_request_with_upgrade_refunds_what_its_body_says(
    system: System, upgrade: bytes
) -> None:
    order = await system.an_order()
    payment = (await system.pay(order)).payment
    body = b'{"amount": 10.00}'
    refund = (
        b"POST /payments/%b/refunds HTTP/1.1\r\nHost: a\r\nIdempotency-Key: %d\r\n"
        b"Content-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
    )

    async with connected(system.url("payment_api")) as connection:
        for number in range(3):  # in one segment; its body in another; its head in two
            data = refund % (payment["id"].encode(), number, upgrade, len(body), body)
            border = (len(data), data.index(body), data.index(b"Upgrade:"))[number]
            await connection.send(data[:border])
            await asyncio.sleep(0.05)
            await connection.send(data[border:])
            assert b'"amount":10.00,' in await connection.until(b"}}")
        await connection.send(GET + b"nonsense\r\n\r\n")
        assert b"Healthy" in await connection.rest()

    [charge] = await system.charges(order)
    assert charge["refundedAmount"] == 30


async def test_idle_connection_stays_open_as_long_as_is_set(system: System) -> None:
    async with (
        another_server(system.stack, keep_alive_seconds=1) as address,
        connected(address) as connection,
    ):
        await connection.send(GET)
        await connection.until(b"}")

        assert await connection.rest(4.5) == b""  # uvicorn's own would be 5 s


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_two_colons_accept_connections_on_every_address(system: System, address: str) -> None:
    async with (
        another_server(system.stack, api_host="::") as url,
        connected(url.replace(HOST, address)) as connection,
    ):
        await connection.send(GET)

        assert (await connection.until(b"}")).startswith(b"HTTP/1.1 200 ")
