"""What surrounds every request: paths in any case, and an answer even for our own bugs."""

import logging

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from domain.errors import ErrorCode, PaymentError

log = logging.getLogger(__name__)


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
