"""The HTTP server: how large, how slow and how malformed a request may arrive, and no worse.

uvicorn bounds neither time nor headers. Every wait here ends, and what ends it is a problem too.
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
from domain import exact_json
from domain.errors import ErrorCode, PaymentError

MOST_HEADERS = 100
MOST_HEADER_BYTES = 16_384
RECEIVE_SECONDS = 10.0
"""For a whole request, from its first byte to its last; RFC 9110 section 15.5.9."""
HOSTS = {"1.1": (1,), "1.0": (0, 1)}
"""How many `Host` headers a version of HTTP asks for; RFC 9112 section 3.2."""
FIELD_OVERHEAD = 4
"""Colon, space and line end, which the parser does not hand over."""

ALWAYS = (
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "frame-ancestors 'none'"),
)
"""What every answer tells browsers: to take it for nothing else, and to show it in no frame."""

MALFORMED = PaymentError(ErrorCode.INVALID_REQUEST, "This is not a valid HTTP/1.1 request.")
NO_PROXY = PaymentError(ErrorCode.INVALID_REQUEST, "This is no proxy, so CONNECT is refused.")
TOO_SLOW = PaymentError(
    ErrorCode.REQUEST_TOO_SLOW, f"The request has not arrived within {RECEIVE_SECONDS:.0f} s."
)
TOO_LARGE = PaymentError(
    ErrorCode.HEADERS_TOO_LARGE,
    f"The request has more than {MOST_HEADERS} headers or {MOST_HEADER_BYTES} bytes of them.",
)


class Stage(Enum):
    """How far the request has arrived that is arriving."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class BoundedProtocol(HttpToolsProtocol):
    """Refuses what is too slow, too large in its head or malformed, and then reads no further."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stage = Stage.IDLE
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._refusal = MALFORMED
        self._has_refused = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._has_refused:
            return
        self._unset_keepalive_if_required()
        self._await_request()
        self._head_bytes += len(data)
        try:
            self._parse(memoryview(data))
        except HttpParserError:
            self._refuse(self._refusal)
            return
        if self._head_bytes > MOST_HEADER_BYTES:
            self._refuse(TOO_LARGE)

    def _parse(self, data: memoryview) -> None:
        """Give the parser the data, without any `Upgrade`.

        The parser takes a request with `Upgrade` for the end of HTTP, and would skip its body. We
        change to no other protocol, so the request is an ordinary one (RFC 9110 section 7.8): its
        head is parsed again without that header, then what follows it.
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
            self._end_wait()
            self._await_request()
        self._stage, self._head_bytes = Stage.HEAD, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are dropped: they are not headers (RFC 9110 section 6.5.1)."""
        if self._stage is Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        sizes = [len(name) + len(value) + FIELD_OVERHEAD for name, value in self.headers]
        if len(sizes) > MOST_HEADERS or len(self.url) + sum(sizes) > MOST_HEADER_BYTES:
            self._refusal = TOO_LARGE
            raise TOO_LARGE
        hosts = [name for name, _ in self.headers if name == b"host"]
        if len(hosts) not in HOSTS.get(self.parser.get_http_version(), ()):
            raise MALFORMED
        if self.parser.get_method() == b"CONNECT":
            self._refusal = NO_PROXY
            raise NO_PROXY
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
        self._end_wait()
        self._stage, self._head_bytes = Stage.IDLE, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_refused and not self._is_answering():
            self.transport.close()

    def _await_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(RECEIVE_SECONDS, self._give_up)

    def _end_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._stage is not Stage.IDLE:
            self._refuse(TOO_SLOW)
        elif not self._is_answering():
            self.transport.close()

    def _refuse(self, error: PaymentError) -> None:
        """Answer and close, after the requests that came before have got their answers."""
        self._has_refused = True
        if self._is_answering():
            return
        self.transport.write(_answer(error))
        self.transport.close()

    def _is_answering(self) -> bool:
        """Whether a request that has arrived as a whole is still to be answered."""
        return bool(self.pipeline) or _has_arrived(self.cycle)


def _has_arrived(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and not cycle.response_complete and not cycle.more_body


def _answer(error: PaymentError) -> bytes:
    request_id = str(uuid4())
    body = exact_json.dumps(problem_body(error, instance_of(request_id), STATUSES[error.code]))
    always = "".join(f"{name}: {value}\r\n" for name, value in ALWAYS)
    head = (
        "content-type: application/json\r\n"
        f"x-request-id: {request_id}\r\n"
        "cache-control: no-store\r\n"
        f"{always}"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return STATUS_LINE[STATUSES[error.code]] + head.encode() + body
