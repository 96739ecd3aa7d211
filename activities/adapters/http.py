"""Asking a neighbour over HTTP: bounded in time and size, every failure with a plain meaning."""

import asyncio
import ssl
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import BaseModel, model_validator

from domain import exact_json
from domain.errors import ErrorCode, PaymentError

MAX_ANSWER_BYTES = 256 * 1024


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
    """What is read of a neighbour's answer. A member that is null counts as absent."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {name: value for name, value in body.items() if value is not None}


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

        Raises PaymentError(unavailable) for silence, 5xx, 429 and bodies that are not JSON: the
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

    def unavailable(self, why: str) -> PaymentError:
        return PaymentError(self._unavailable, f"{self._name} is not available ({why}).")

    async def _exchange(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        async with self._client.stream(method, path, content=content, headers=headers) as answer:
            if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                raise self.unavailable(f"HTTP {answer.status_code}")
            received = bytearray()
            async for chunk in answer.aiter_bytes():
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    raise self.unavailable("its answer is too long")
        return answer.status_code, exact_json.loads(bytes(received))
