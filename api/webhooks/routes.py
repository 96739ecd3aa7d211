"""The route of webhooks. Its responses have no bodies: only their status counts for the sender."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from api.dependencies import caller_of, resources_of
from api.errors import RETRY_LATER
from api.json_route import content_type
from api.ports import RateLimit
from api.webhooks.ports import (
    ForgedWebhookError,
    RefusedWebhookError,
    TakeWebhook,
    Webhooks,
)
from domain.errors import PaymentError
from domain.gateways import GatewayName

MAX_BODY_BYTES = 256 * 1024
"""The maximum size of a webhook. Stripe's events have a few KiB. Chosen, not measured."""
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The webhook is accepted. It may have no effect."},
    400: {
        "description": "The signature is wrong, or this is not an event of our account and mode."
    },
    404: {"description": "There is no such gateway, or its signing secret is not set."},
    408: {"description": "The webhook did not arrive in time."},
    413: {"description": f"The body is larger than {MAX_BODY_BYTES} bytes."},
    415: {"description": "The body is not `application/json`."},
    429: {"description": "This address has sent too many webhooks with wrong signatures."},
    503: {"description": "A dependency is down. Send the webhook again."},
}
DESCRIPTION: dict[str, Any] = {
    "parameters": [
        {
            "name": "gateway",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "enum": [GatewayName.STRIPE.value]},
        },
        {
            "name": "Stripe-Signature",
            "in": "header",
            "required": True,
            "description": "When the webhook was sent, and its HMAC-SHA256.",
            "schema": {"type": "string"},
        },
    ],
    "requestBody": {
        "required": True,
        "description": "The gateway's event, as its raw bytes.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
}

log = logging.getLogger(__name__)
webhooks = APIRouter(prefix="/webhooks", tags=["webhooks"])


class _UnsuitableError(Exception):
    """The request is refused with this status, before its signature is checked."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status


@webhooks.post(
    "/{gateway}",  # noqa: FAST003 (as a parameter it would add a 422 to the description)
    response_class=Response,
    responses=RESPONSES,
    openapi_extra=DESCRIPTION,
)
async def take_webhook(request: Request) -> Response:
    """Take an event from a payment gateway. It needs a signature, and no bearer token."""
    resources = resources_of(request)
    try:
        take = _taker(request, resources.webhooks)
        await take(request.headers, await _body(request))
    except _UnsuitableError as error:
        return Response(status_code=error.status)
    except ForgedWebhookError as error:
        return await _count_forged(request, resources.rate_limit, error)
    except RefusedWebhookError as error:
        return _refused(error)
    except PaymentError as error:
        log.warning("a webhook must be sent again: %s", error.code)
        return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers=RETRY_LATER)
    return Response()


def _taker(request: Request, known: Webhooks) -> TakeWebhook:
    take = known.get(request.path_params["gateway"])
    if take is None:
        raise _UnsuitableError(HTTPStatus.NOT_FOUND)
    if content_type(request) != "application/json":
        raise _UnsuitableError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return take


async def _body(request: Request) -> bytes:
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > MAX_BODY_BYTES:
                raise _UnsuitableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except ClientDisconnect:
        raise _UnsuitableError(HTTPStatus.BAD_REQUEST) from None  # nobody reads the response
    return bytes(received)


async def _count_forged(
    request: Request, rate_limit: RateLimit, error: ForgedWebhookError
) -> Response:
    """Refuse a webhook with a wrong signature, and limit how many of one address are logged.

    Webhooks with right signatures are not counted: a gateway sends all of them from few addresses.
    """
    allowance = await rate_limit.count(f"webhook:{caller_of(request)}")
    if allowance.is_exceeded:
        wait = {"retry-after": str(allowance.reset_seconds)}
        return Response(status_code=HTTPStatus.TOO_MANY_REQUESTS, headers=wait)
    return _refused(error)


def _refused(error: RefusedWebhookError) -> Response:
    log.warning("a webhook is refused: %s", error)
    return Response(status_code=HTTPStatus.BAD_REQUEST)
