"""Asking a neighbour over HTTP: bounded in time and size, every failure with a plain meaning."""

import asyncio
import codecs
import re
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, model_validator

from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.text import readable

MAX_ANSWER_BYTES = 256 * 1024
NOBODY = UUID(int=0)
ZERO_TIME = "0001-01-01T00:00:00"
"""What Go and .NET write for a time that was never set."""
_UUID = re.compile(
    r"(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?",
    re.ASCII | re.IGNORECASE,
)


_HOURS_ONLY = re.compile(r"(:\d\d(?:\.\d+)?[+-]\d\d)$", re.ASCII)
"""The end of a time as PostgreSQL writes it: `20:52:38+00`."""
_ZONE_NAME = re.compile(r"\[[^\[\]]*\]$")
"""What Java's ZonedDateTime puts behind the offset: `Z[UTC]`."""


def _with_minutes(time: object) -> object:
    if not isinstance(time, str):
        return time
    if time.startswith(ZERO_TIME):
        return None
    return _HOURS_ONLY.sub(r"\1:00", _ZONE_NAME.sub("", time))


def in_utc(time: datetime) -> datetime:
    """A time that names no zone is UTC, as all times of the wire contract are."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _in_utc_if_told(time: datetime | None) -> datetime | None:
    return in_utc(time) if time else None


Time = Annotated[datetime | None, BeforeValidator(_with_minutes), AfterValidator(_in_utc_if_told)]
"""None for the zero time."""


def create_client(base_url: str) -> httpx.AsyncClient:
    """A client for one neighbour: no redirects, no proxies from the environment.

    It trusts the certificate authorities of the system, or those of the file `SSL_CERT_FILE`.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        verify=_trusted(),
        timeout=None,  # noqa: S113 (httpx bounds each read; `Neighbour` bounds the whole exchange)
        limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
        follow_redirects=False,
        trust_env=False,
    )


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()  # reading all certificates takes a while


class Answer(BaseModel):
    """What is read of a neighbour's answer: texts in one line, without control characters.

    A member that is null, empty or the nil UUID counts as absent.
    """

    @model_validator(mode="before")
    @classmethod
    def _told(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        members = {
            name: readable(value, MAX_ANSWER_BYTES) if isinstance(value, str) else value
            for name, value in body.items()
        }
        return {name: value for name, value in members.items() if not _is_absent(value)}


def _is_absent(value: Any) -> bool:
    if not isinstance(value, str):
        return value is None
    return not value or read_uuid(value) == NOBODY


def read_uuid(text: object) -> UUID | None:
    """A UUID in any spelling: 32 digits, with hyphens, in braces or as a URN; else None."""
    spelled = _UUID.fullmatch(text) if isinstance(text, str) else None
    return UUID("".join(spelled.groups())) if spelled else None


def is_about(asked: UUID, *told: str | None) -> bool:
    """False if an answer tells ids of which none is the one asked for. It may leave them out."""
    ids = [read_uuid(each) for each in told if each is not None]
    return not ids or asked in ids


class Neighbour:
    """A service reached over HTTP. `unavailable` is what its silence and its nonsense mean."""

    def __init__(
        self, client: httpx.AsyncClient, name: str, unavailable: ErrorCode, seconds: float
    ) -> None:
        self._client = client
        self._name = name
        self._unavailable = unavailable
        self._seconds = seconds

    async def ask(
        self, method: str, path: str, *, body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        """Status and parsed body of an answer below 500, its numbers left as text.

        The body of a status from 400 on is None where it cannot be read. Raises
        PaymentError(unavailable) for silence, 5xx, 429 and other bodies that are not JSON: the
        request may or may not have had its effect.
        """
        headers = {"content-type": "application/json"} if body is not None else {}
        if key is not None:
            headers["idempotency-key"] = key
        content = exact_json.dumps(body) if body is not None else None
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(method, path, content, headers)
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise self.unavailable(type(error).__name__) from error

    def unavailable(self, why: str, retry_after: timedelta | None = None) -> PaymentError:
        message = f"{self._name} is not available ({why})."
        return PaymentError(self._unavailable, message, retry_after)

    async def _exchange(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        async with self._client.stream(method, path, content=content, headers=headers) as answer:
            if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                raise self.unavailable(f"HTTP {answer.status_code}", _retry_after(answer))
            try:
                return answer.status_code, await _body(answer)
            except (httpx.HTTPError, ValueError):
                if answer.is_client_error:
                    return answer.status_code, None
                raise


async def _body(answer: httpx.Response) -> Any:
    received = bytearray()
    async for chunk in answer.aiter_bytes():
        received += chunk
        if len(received) > MAX_ANSWER_BYTES:
            raise ValueError("its answer is too long")
    text = bytes(received).removeprefix(codecs.BOM_UTF8)
    return exact_json.loads(text, any_text=True)


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """How long to wait, by RFC 9110 section 10.2.3: seconds, or the time of an HTTP date."""
    told = answer.headers.get("retry-after", "")
    with suppress(ValueError, TypeError, OverflowError):
        if told.isdecimal():
            return timedelta(seconds=int(told))
        moment = parsedate_to_datetime(told)
        return max(timedelta(), moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC))
    return None
