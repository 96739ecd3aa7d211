"""What every address of payments reads and answers: small JSON bodies with exact numbers."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from domain import exact_json

MOST_BODY_BYTES = 65_536


class _ExactRequest(Request):
    async def json(self) -> Any:
        return exact_json.loads(await self.body())

    async def stream(self) -> AsyncGenerator[bytes, None]:
        received = 0
        async for chunk in super().stream():
            received += len(chunk)
            if received > MOST_BODY_BYTES:
                raise HTTPException(413, f"The body is larger than {MOST_BODY_BYTES} bytes")
            yield chunk


class ExactRoute(APIRoute):
    """A route that reads small JSON bodies only, and makes no floats of their numbers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            if _has_body(request) and _content_type(request) != "application/json":
                raise HTTPException(415, "Send the header Content-Type: application/json")
            return await handle(_ExactRequest(request.scope, request.receive))

        return handle_exactly


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        exact_json.dumps(body),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store", **(headers or {})},
    )
