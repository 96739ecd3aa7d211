"""Middleware for every request: id, log line, HEAD, paths in upper case, and 500 after a bug."""

import logging
import time
from http import HTTPStatus
from uuid import UUID, uuid4

import structlog
from fastapi import Request
from opentelemetry import trace
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from api.metrics import ResponseMetrics
from api.request_errors import RequestError, RequestErrorCode
from api.schemas import Id

log = logging.getLogger(__name__)

QUIET_ROUTES = {"/health", "/ready"}
_ID: TypeAdapter[UUID] = TypeAdapter(Id)


class RequestIds:
    """Adds the request's id to the response and to every log line.

    The id is the caller's `X-Request-Id` if that is a UUID, otherwise a new one: with other text, a
    caller could write anything into the logs. Headers in `request.state.headers` are added to every
    response, also to an error.
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

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app({**scope, "state": state}, receive, send_with_headers)
        finally:
            structlog.contextvars.clear_contextvars()  # also the ids that the routes have bound


def _uuid_or_new(text: str) -> str:
    try:
        return str(_ID.validate_python(text))
    except ValidationError:
        return str(uuid4())


class RequestLog:
    """Logs and counts each response by its route.

    Path and query are left out, because they may contain secrets. Requests for the state of the
    service are logged at DEBUG, because orchestrators send many.
    """

    def __init__(self, app: ASGIApp, metrics: ResponseMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                trace.get_current_span().set_attributes(_ids())  # which ends with the response
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", None)
            level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
            seconds = time.perf_counter() - began
            response = {"method": scope["method"], "route": route, "status": status}
            log.log(level, "responded", extra={**response, "seconds": round(seconds, 4)})
            self._metrics.record(scope["method"], route, status, seconds)


def _ids() -> dict[str, str]:
    """The ids that the routes have bound for the log lines, as attributes of the request's span."""
    bound = structlog.contextvars.get_contextvars()
    ids = ("payment_id", "order_id", "request_id")
    return {each.replace("_", "."): bound[each] for each in ids if each in bound}


class HeadAsGet:
    """Treats `HEAD` as `GET` (RFC 9110 section 9.3.2); the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class LowercasePaths:
    """Converts paths to lower case: existing callers send `/Payments` and `/payments`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].lower()}
        await self._app(scope, receive, send)


class CatchBugs:
    """Responds 500 after a bug. The connection stays open, because it may have other requests."""

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
            error = RequestError(
                RequestErrorCode.INTERNAL_ERROR,
                "The service failed. Read the payment before you pay again.",
            )
            await problem(Request(scope), error)(scope, receive, send)
