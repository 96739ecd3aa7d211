"""What every address of payments reads and answers: small JSON bodies with exact numbers."""

import hashlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.dependencies import admit, limit_rate, parts_of, refuse_if_full
from domain import exact_json

MOST_BODY_BYTES = 16_384
MOST_QUERY_BYTES = 1_024
"""Three times what all parameters need together."""


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
    """A route that reads small JSON bodies only, and makes no floats of their numbers.

    Whom it turns away because there are too many, it does not read: that would cost more.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_place = any(each.dependency is admit for each in self.dependencies)

        async def handle_exactly(request: Request) -> Response:
            if takes_place:
                refuse_if_full(parts_of(request))
            await limit_rate(request)
            _refuse_unreadable(request)
            answer = await handle(_ExactRequest(request.scope, request.receive))
            return _unless_known(request, answer)

        return handle_exactly


def _refuse_unreadable(request: Request) -> None:
    if len(request.scope["query_string"]) > MOST_QUERY_BYTES:
        raise HTTPException(400, f"The query is longer than {MOST_QUERY_BYTES} bytes")
    if _has_body(request) and _content_type(request) != "application/json":
        raise HTTPException(415, "Send the header Content-Type: application/json")


def _unless_known(request: Request, answer: Response) -> Response:
    """An empty 304 for a reader who has this very answer: RFC 9110 section 13.1.2.

    Nobody may store it on the way, but a reader that polls compares what it has.
    """
    if request.method != "GET" or answer.status_code != HTTPStatus.OK:
        return answer
    tag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
    answer.headers["etag"] = tag
    if tag not in request.headers.get("if-none-match", ""):
        return answer
    headers = {name: answer.headers[name] for name in ("etag", "cache-control")}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)


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
