"""Ordering, Inventory and gateway for measurements: `python -m benchmarks.neighbours PORT ...`.

They need almost no CPU time. They keep no state, and send valid responses: every order is pending
and costs 150.00 USD, every reservation is active, every charge is captured, except that of an order
whose id begins with DECLINED. `GET /counts` returns the number of requests so far. Traces (OTLP
over HTTP) are accepted too, and are not counted.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

import httptools
import uvloop

from devstack.stack.ports import HOST

CUSTOMER = "5b4a1b5e-0d51-4f7e-8c9b-2f6f1a3f0c11"
"""The customer of every order and reservation."""
DECLINED = "00000402"
"""The charge of an order is declined if the order's id begins with this."""

_MONEY = '"amount":150.00,"currency":"USD","isSimulated":true'
_ORDER = (
    f'{{"id":"%s","customerId":"{CUSTOMER}","status":"pending",'
    '"totalAmount":150.00,"currency":"USD"}'
)
_RESERVATION = f'{{"id":"%s","customerId":"{CUSTOMER}","status":"active"}}'
_CAPTURED = (
    f'{{"key":"%s","state":"captured","refundedAmount":0,{_MONEY},'
    '"transactionId":"txn_load","response":"Success - TransactionId: txn_load"}'
)
_DECLINED = (
    f'{{"key":"%s","state":"declined",{_MONEY},"code":"CARD_DECLINED","message":"Declined.",'
    '"response":"Declined"}'
)
_VOIDED = f'{{"key":"%s","state":"voided",{_MONEY}}}'
_REFUND = '{"key":"%s","chargeKey":"%s","amount":150.00,"currency":"USD","state":"succeeded"}'
_NO_REFUND = '{"key":"%s","code":"REFUND_NOT_FOUND"}'
_REASONS = {200: "OK", 201: "Created", 402: "Payment Required", 404: "Not Found"}

Response = tuple[int, str]
"""The status and the JSON of a response."""


def _charge(_: str, key: str, body: bytes) -> Response:
    if f'"orderId":"{DECLINED}'.encode() in body:
        return 402, _DECLINED % key
    return 201, _CAPTURED % key


def _refund(_: str, key: str, body: bytes) -> Response:
    return 201, _REFUND % (key, json.loads(body)["chargeKey"])


ROUTES: Mapping[tuple[str, str, int], Callable[[str, str, bytes], Response]] = MappingProxyType(
    {
        ("GET", "orders", 1): lambda order, _, __: (200, _ORDER % order),
        ("GET", "reservations", 1): lambda reservation, _, __: (200, _RESERVATION % reservation),
        ("POST", "charges", 0): _charge,
        ("GET", "charges", 1): lambda charge, _, __: (200, _CAPTURED % charge),
        ("POST", "charges", 2): lambda charge, _, __: (200, _VOIDED % charge),
        ("POST", "refunds", 0): _refund,
        ("GET", "refunds", 1): lambda refund, _, __: (404, _NO_REFUND % refund),
    }
)
"""Functions that make a response, by method, first part of the path, and number of the other parts.
Each gets the second part of the path, the `Idempotency-Key` and the body."""


class Neighbours:
    """Answers requests, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def respond(self, method: str, path: str, key: str, body: bytes) -> Response:
        """The response; `key` is the request's `Idempotency-Key`."""
        if path == "/counts":
            return 200, f'{{"requests":{self.count}}}'
        if path == "/v1/traces":
            return 200, "{}"
        self.count += 1
        _, kind, *others = path.split("/")
        make = ROUTES.get((method, kind, len(others)))
        return make(others[0] if others else "", key, body) if make else (404, "{}")


class Protocol(asyncio.Protocol):
    """One connection of a client that sends one request at a time."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url, self._key, self._body = b"", b"", b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"idempotency-key":
            self._key = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        status, text = self._neighbours.respond(
            method, self._url.decode(), self._key.decode(), self._body
        )
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
        self._transport.write(f"{head}content-length: {len(text)}\r\n\r\n{text}".encode())


async def serve(ports: list[int]) -> None:
    """Listen on every port until this process is ended."""
    loop, neighbours = asyncio.get_running_loop(), Neighbours()
    for port in ports:
        await loop.create_server(lambda: Protocol(neighbours), HOST, port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
