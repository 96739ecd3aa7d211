"""The HTTP side of Stripe's API: credentials, version, limits, bodies, responses."""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from devstack.neighbours.json_http import json_response
from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.errors import NotExecutedError, StripeError, ValidationFailedError
from devstack.neighbours.stripe.events import VERSION
from devstack.neighbours.stripe.execution import Executor, Reply
from devstack.neighbours.stripe.forms import parse_form
from devstack.neighbours.stripe.limiter import Limiter
from devstack.neighbours.stripe.machine import new_id
from domain import exact_json

FORM = "application/x-www-form-urlencoded"


class Protocol:
    """One account over HTTP. Every request must have the key `api_key`."""

    def __init__(self, account: Account, api_key: str) -> None:
        self.account = account
        self.executor = Executor(account)
        self._api_key = api_key
        self._limiter = Limiter()

    async def read(self, request: Request, endpoint: str) -> dict[str, Any]:
        """Check the request, and return its parameters. `endpoint` has its own rate limit.

        Raises StripeError: 401 or 403 for the key, then 429 for the rate, then 400 for the rest.
        """
        self._authenticate(request)
        self._limiter.take(endpoint, self.account.limits.requests_per_second)
        _check_version(request)
        if request.method == "GET":
            return parse_form(request.url.query)
        body = await request.body()
        if body and request.headers.get("content-type", "").partition(";")[0] != FORM:
            message = "Invalid request: check that your POST content type is "
            raise ValidationFailedError(f"{message}{FORM}.")
        return parse_form(body)

    def _authenticate(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise NotExecutedError(401, "You did not provide an API key.")
        known = hmac.compare_digest(key.encode(), self._api_key.encode())
        if not known or self.account.limits.is_key_revoked:
            raise NotExecutedError(401, f"Invalid API Key provided: {key[:8]}{'*' * 8}")
        if request.url.path.startswith(self.account.limits.forbidden):
            message = "The provided key does not have the required permissions for this endpoint."
            raise NotExecutedError(403, message)


def _check_version(request: Request) -> None:
    """Raise ValidationFailedError for another version, or none. Stripe itself has a default."""
    version = request.headers.get("stripe-version")
    if version is None:
        raise ValidationFailedError("The double wants a Stripe-Version header.")
    if version != VERSION:
        raise ValidationFailedError(f"Invalid Stripe API version: {version}. Use {VERSION}.")


def protocol_of(request: Request) -> Protocol:
    protocol: Protocol = request.app.state.stripe
    return protocol


def key_of(request: Request) -> str | None:
    return request.headers.get("idempotency-key") or None


def object_response(content: dict[str, Any]) -> Response:
    return _response(exact_json.dumps(content), 200, {"Request-Id": new_id("req")})


def reply_response(reply: Reply, key: str | None) -> Response:
    headers = {"Request-Id": reply.request_id}
    if key:
        headers["Idempotency-Key"] = key
    if reply.is_replayed:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": reply.request_id}
        headers["Request-Id"] = new_id("req")
    return _response(reply.body.encode(), reply.status, headers)


def add_error_handlers(app: FastAPI) -> None:
    """Make errors have Stripe's form, also for addresses that do not exist."""

    @app.exception_handler(StripeError)
    async def stripe_error(_: Request, error: StripeError) -> Response:
        return _error_response(error)

    @app.exception_handler(HTTPException)
    async def unknown_address(request: Request, error: HTTPException) -> Response:
        message = f"Unrecognized request URL ({request.method}: {request.url.path})."
        return _error_response(StripeError(error.status_code, message))


def _error_response(error: StripeError) -> Response:
    headers = {"Request-Id": new_id("req"), **error.headers}
    return _response(json.dumps(error.body).encode(), error.status, headers)


def _response(body: bytes, status: int, headers: Mapping[str, str]) -> Response:
    return json_response(body, status, {"Stripe-Version": VERSION, **headers})
