"""A JSON client for one external service. It limits time and size, and raises PaymentError."""

import asyncio
import codecs
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from temporalio.common import MetricMeter

from activities.metrics import RequestMetrics
from domain import exact_json
from domain.errors import ErrorCode, PaymentError

_TRACER = trace.get_tracer(__name__)

MAX_RESPONSE_BYTES = 256 * 1024
"""An order with hundreds of lines fits. Chosen, not measured."""
MAX_CONNECTIONS = 200
"""Per process and external service; more requests wait for a connection. Chosen, not measured."""
MAX_IDLE_CONNECTIONS = 50
"""Idle connections that are kept for the next requests. Chosen, not measured."""


def create_client(base_url: str) -> httpx.AsyncClient:
    """An HTTP client for one external service. It follows no redirects and ignores `HTTP_PROXY`.

    It trusts the certificate authorities of the system, or those of the file `SSL_CERT_FILE`.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        verify=_trusted(),
        timeout=None,  # noqa: S113 (httpx limits each read; `JsonClient` limits the whole exchange)
        limits=httpx.Limits(
            max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS
        ),
        follow_redirects=False,
        trust_env=False,
    )


@cache
def _trusted() -> ssl.SSLContext:
    """One SSL context for all clients, because reading the system's certificates is slow."""
    return ssl.create_default_context()


class JsonResponse(NamedTuple):
    """The status and the parsed JSON of a response. Numbers in the body are left as text."""

    status: int
    body: Any


class RawResponse(NamedTuple):
    """A response of any status.

    `body` is None after an error whose body is not JSON, and always after a 5xx or 429.
    `is_replayed` is true if the service says that it repeats the response to an earlier request
    with the same key.
    """

    status: int
    body: Any
    is_replayed: bool
    retry_after: timedelta | None

    @property
    def is_unusable(self) -> bool:
        """Whether the request may or may not have been processed."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (
            self.status == HTTPStatus.TOO_MANY_REQUESTS
        )


class JsonClient:
    """Sends requests to one external service, called `name` in messages.

    `meter` counts the requests. The last word of `name`, in lower case, is the label `service` of
    these metrics, and names the service in spans. `unavailable_code` is the error code of a request
    whose outcome is unknown. `seconds` is the time limit of one request, from the connection to the
    last byte of the response.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        name: str,
        unavailable_code: ErrorCode,
        seconds: float,
        meter: MetricMeter = MetricMeter.noop,
    ) -> None:
        self._http = http
        self._name = name
        self._unavailable_code = unavailable_code
        self.seconds = seconds
        self._service = name.rpartition(" ")[2].lower()
        self._metrics = RequestMetrics(meter, self._service)

    async def request(
        self, method: str, path: str, *, body: Any = None, key: str | None = None
    ) -> JsonResponse:
        """Send a request, with `key` as its `Idempotency-Key`, and return a response below 500.

        The body of a 4xx response is None if it is not JSON. Raises PaymentError(unavailable_code)
        after 5xx, 429, no response in time, or another response that is not JSON. Even then, the
        external service may have processed the request.
        """
        headers = {"content-type": "application/json"} if body is not None else {}
        if key is not None:
            headers["idempotency-key"] = key
        content = exact_json.dumps(body) if body is not None else None
        response = await self.exchange(method, path, content, headers)
        if response.is_unusable:
            raise self.unavailable(f"HTTP {response.status}", response.retry_after)
        return JsonResponse(response.status, response.body)

    async def exchange(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> RawResponse:
        """Send a request, and return a response of any status.

        Raises PaymentError(unavailable_code) if there is no response in time, or if the body of a
        success is not JSON. Even then, the external service may have processed the request.
        """
        try:
            with self._span(method) as span, self._metrics.measured() as measured:
                sent = dict(headers)
                propagate.inject(sent)
                async with asyncio.timeout(self.seconds):
                    response = await self._exchange(method, path, content, sent)
                measured.status = response.status
                span.set_attribute("http.response.status_code", response.status)
                return response
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise self.unavailable(type(error).__name__) from error

    def _span(self, method: str) -> AbstractContextManager[trace.Span]:
        """A span for one request. The path is left out, because it has ids in it."""
        attributes = {"http.request.method": method, "peer.service": self._service}
        name = f"{method} {self._service}"
        return _TRACER.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def unavailable(self, why: str, retry_after: timedelta | None = None) -> PaymentError:
        """The error to raise when the outcome of a request is unknown."""
        message = f"{self._name} is not available ({why})."
        return PaymentError(self._unavailable_code, message, retry_after)

    async def _exchange(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> RawResponse:
        async with self._http.stream(method, path, content=content, headers=headers) as response:
            is_replayed = response.headers.get("idempotent-replayed") == "true"
            empty = RawResponse(response.status_code, None, is_replayed, _retry_after(response))
            if empty.is_unusable:
                return empty
            try:
                return empty._replace(body=await _read_body(response))
            except (httpx.HTTPError, ValueError):
                if response.is_client_error:
                    return empty
                raise


async def _read_body(response: httpx.Response) -> Any:
    received = bytearray()
    async for chunk in response.aiter_bytes():
        received += chunk
        if len(received) > MAX_RESPONSE_BYTES:
            raise ValueError(f"The response is longer than {MAX_RESPONSE_BYTES} bytes.")
    text = bytes(received).removeprefix(codecs.BOM_UTF8)
    return exact_json.loads(text, any_text=True)


def _retry_after(response: httpx.Response) -> timedelta | None:
    """The wait that `Retry-After` asks for, in seconds or as an HTTP date (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "")
    with suppress(ValueError, TypeError, OverflowError):
        if value.isdecimal():
            return timedelta(seconds=int(value))
        moment = parsedate_to_datetime(value)
        return max(timedelta(), moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC))
    return None
