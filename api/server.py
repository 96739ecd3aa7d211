"""The HTTP server: uvicorn with limits for the size, the time and the form of a request.

uvicorn limits neither time nor headers. Here both are limited, and a request that is refused gets a
problem response.
"""

import asyncio
from enum import Enum, auto
from typing import Any
from uuid import uuid4

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.errors import STATUSES, instance_of, problem_body
from api.request_errors import RequestError, RequestErrorCode
from domain import exact_json

MAX_HEADERS = 100
MAX_HEADER_BYTES = 16_384
"""For all headers and the request line together. Common servers have the same two limits; a browser
behind proxies sends about 30 headers with 2 KiB."""
RECEIVE_SECONDS = 10.0
"""Time limit for receiving a request, from its first byte to its last (RFC 9110 section 15.5.9). A
phone with a bad connection needs a few seconds. Chosen, not measured."""
DISCARD_SECONDS = 2.0
"""How long the rest of a refused request is received and discarded. Chosen, not measured."""
HOST_COUNTS = {"1.1": (1,), "1.0": (0, 1)}
"""How many `Host` headers a request may have, by HTTP version (RFC 9112 section 3.2)."""
FIELD_OVERHEAD = 4
"""Bytes of a header besides its name and value: colon, space and line end."""

SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "frame-ancestors 'none'"),
)
"""Headers of every response: a browser must not guess its type or show it in a frame."""

MALFORMED = RequestError(RequestErrorCode.INVALID_REQUEST, "This is not a valid HTTP/1.1 request.")
CONNECT_REFUSED = RequestError(
    RequestErrorCode.INVALID_REQUEST, "CONNECT is refused: this server is not a proxy."
)
TOO_SLOW = RequestError(
    RequestErrorCode.REQUEST_TOO_SLOW,
    f"The request has not arrived within {RECEIVE_SECONDS:.0f} s.",
)
TOO_LARGE = RequestError(
    RequestErrorCode.HEADERS_TOO_LARGE,
    f"The request has more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them.",
)


class Stage(Enum):
    """Which part of the current request has been received."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class BoundedProtocol(HttpToolsProtocol):
    """Refuses requests that are too slow or malformed, or whose head is too large."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stage = Stage.IDLE
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._refusal = MALFORMED
        self._has_refused = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._has_refused:
            return
        self._unset_keepalive_if_required()
        self._start_deadline()
        self._head_bytes += len(data)
        try:
            self._parse(memoryview(data))
        except HttpParserError:
            self._refuse(self._refusal)
            return
        if self._head_bytes > MAX_HEADER_BYTES:
            self._refuse(TOO_LARGE)

    def _parse(self, data: memoryview) -> None:
        """Parse the data. The header `Upgrade` is ignored.

        At a request with this header the parser stops and skips the body. We support no other
        protocol and may ignore the header (RFC 9110 section 7.8). So the head is parsed again
        without it, and then the rest of the data.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                self.parser.feed_data(self._head_without_upgrade())
                data = data[upgrade.args[0] :]
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % each for each in self.headers if each[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._stage is Stage.IDLE:
            self._cancel_deadline()
            self._start_deadline()
        self._stage, self._head_bytes = Stage.HEAD, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are dropped: they are not headers (RFC 9110 section 6.5.1)."""
        if self._stage is Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        sizes = [len(name) + len(value) + FIELD_OVERHEAD for name, value in self.headers]
        if len(sizes) > MAX_HEADERS or len(self.url) + sum(sizes) > MAX_HEADER_BYTES:
            self._refusal = TOO_LARGE
            raise TOO_LARGE
        hosts = [name for name, _ in self.headers if name == b"host"]
        if len(hosts) not in HOST_COUNTS.get(self.parser.get_http_version(), ()):
            raise MALFORMED
        if self.parser.get_method() == b"CONNECT":
            self._refusal = CONNECT_REFUSED
            raise CONNECT_REFUSED
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._stage, self._head_bytes = Stage.BODY, 0

    def on_body(self, body: bytes) -> None:
        self._head_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._cancel_deadline()
        self._stage, self._head_bytes = Stage.IDLE, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_refused and not self._is_responding():
            self._close_when_read()

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(RECEIVE_SECONDS, self._on_deadline)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self._stage is not Stage.IDLE:
            self._refuse(TOO_SLOW)
        elif not self._is_responding():
            self.transport.close()

    def _refuse(self, error: RequestError) -> None:
        """Respond with the error, and close the connection.

        If earlier requests still wait for their responses, only they get one.
        """
        self._has_refused = True
        if self._is_responding():
            return
        self.transport.write(_response(error))
        self._close_when_read()

    def _close_when_read(self) -> None:
        """Close when the client closes, or after `DISCARD_SECONDS`.

        If we closed while the client is still sending, the connection would be reset, and the
        client could lose the response (RFC 9112 section 9.6).
        """
        self._cancel_deadline()
        _disconnect(self.cycle)
        self.flow.resume_reading()
        self.transport.write_eof()
        self._deadline = self.loop.call_later(DISCARD_SECONDS, self.transport.close)

    def _is_responding(self) -> bool:
        """Whether a request that was received completely still waits for its response."""
        return bool(self.pipeline) or _has_arrived(self.cycle)


def _has_arrived(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and not cycle.response_complete and not cycle.more_body


def _disconnect(cycle: RequestResponseCycle | None) -> None:
    """Tell the application that the client has disconnected, and discard its response."""
    if cycle is not None and not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()


def _response(error: RequestError) -> bytes:
    request_id = str(uuid4())
    status = STATUSES[error.code]
    body = exact_json.dumps(
        problem_body(error.code, error.message, instance_of(request_id), status)
    )
    security = "".join(f"{name}: {value}\r\n" for name, value in SECURITY_HEADERS)
    head = (
        "content-type: application/json\r\n"
        f"x-request-id: {request_id}\r\n"
        "cache-control: no-store\r\n"
        f"{security}"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return STATUS_LINE[status] + head.encode() + body
