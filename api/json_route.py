"""The route class of payments and refunds. It limits requests and reads JSON with exact numbers."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.conditional import not_modified_if_known
from api.dependencies import admit, count_request, refuse_if_full, resources_of
from domain import exact_json

MAX_BODY_BYTES = 16_384
"""Thirty times a usual request. Chosen, not measured."""
MAX_QUERY_BYTES = 1_024
"""Three times what all parameters need together."""


class _ExactRequest(Request):
    async def json(self) -> Any:
        return exact_json.loads(await self.body())

    async def stream(self) -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in super().stream():
            received += len(chunk)
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes")
            yield chunk


class JsonRoute(APIRoute):
    """Counts the caller's request, limits its size, and reads its JSON with exact numbers.

    If the route depends on `admit` and the concurrency limit is full, it responds 503 before it
    reads the body, because reading costs more than refusing.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        is_limited = any(each.dependency is admit for each in self.dependencies)

        async def handle_json(request: Request) -> Response:
            resources = resources_of(request)
            if is_limited:
                refuse_if_full(resources.concurrency_limit)
            await count_request(request, resources.rate_limit)
            _refuse_unreadable(request)
            response = await handle(_ExactRequest(request.scope, request.receive))
            return not_modified_if_known(request, response)

        return handle_json


def _refuse_unreadable(request: Request) -> None:
    if len(request.scope["query_string"]) > MAX_QUERY_BYTES:
        raise HTTPException(400, f"The query is longer than {MAX_QUERY_BYTES} bytes")
    if _has_body(request) and content_type(request) != "application/json":
        raise HTTPException(415, "Send the header Content-Type: application/json")


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def content_type(request: Request) -> str:
    """The media type of the body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response with exact numbers that no cache may store."""
    return Response(
        exact_json.dumps(body),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store", **(headers or {})},
    )
