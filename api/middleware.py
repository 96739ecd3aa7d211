"""What surrounds every request: its id, HEAD, paths in any case, an answer even for our bugs."""

import logging
from uuid import UUID, uuid4

import structlog
from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.schemas import Id
from domain.errors import ErrorCode, PaymentError

log = logging.getLogger(__name__)

_ID: TypeAdapter[UUID] = TypeAdapter(Id)


class NameRequests:
    """The answer and every log line of a request carry its id: the caller's, if that is a UUID.

    Other text is not taken over: it would bring into the logs whatever a caller likes. What else
    is put into `request.state.headers` is sent with whatever answer comes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _uuid_or_new(Headers(scope=scope).get("x-request-id", ""))
        headers = {"x-request-id": request_id}
        state = {**scope.get("state", {}), "headers": headers}

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app({**scope, "state": state}, receive, send_named)


def _uuid_or_new(text: str) -> str:
    try:
        return str(_ID.validate_python(text))
    except ValidationError:
        return str(uuid4())


class AnswerHead:
    """`HEAD` is answered as `GET` is (RFC 9110 section 9.3.2); the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class AnyCasePaths:
    """`/Payments` is `/payments`: existing callers send both."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].lower()}
        await self._app(scope, receive, send)


class AnswerBugs:
    """A 500 that keeps the connection: re-raised, the server would drop the requests behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_remember(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_remember)
        except Exception:
            log.exception("a request failed because of a bug")
            if scope["type"] != "http" or started:
                raise
            error = PaymentError(
                ErrorCode.INTERNAL_ERROR, "The service failed. Look for the payment before paying."
            )
            await problem(Request(scope), error)(scope, receive, send)
