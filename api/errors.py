"""Error responses: RFC 9457 problems that also have the members of the wire contract.

`STATUSES` has the HTTP status of every code. A failure is sent as `application/json`, which
existing callers can parse, unless `Accept` names `application/problem+json`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response

from api.request_errors import RequestError, RequestErrorCode
from api.schemas import PaymentBody
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment

PROBLEM_JSON = "application/problem+json"
RETRY_LATER = {"retry-after": "5"}
"""How many seconds a caller waits before it sends the request again. Chosen, not measured."""
NEW_ORDER = "The order is closed by this failure: place a new order."

TITLES: Mapping[int, str] = MappingProxyType(
    {413: "Request Entity Too Large", 422: "Unprocessable Entity"}
)
"""The titles of statuses that Python 3.13 renames. They are part of the contract with callers."""

STATUSES: Mapping[ErrorCode | RequestErrorCode, HTTPStatus] = MappingProxyType(
    {
        ErrorCode.ORDER_NOT_FOUND: HTTPStatus.NOT_FOUND,
        ErrorCode.ORDER_NOT_PENDING: HTTPStatus.BAD_REQUEST,
        ErrorCode.CUSTOMER_MISMATCH: HTTPStatus.UNAUTHORIZED,
        ErrorCode.AMOUNT_MISMATCH: HTTPStatus.BAD_REQUEST,
        ErrorCode.CURRENCY_MISMATCH: HTTPStatus.BAD_REQUEST,
        ErrorCode.RESERVATION_NOT_ACTIVE: HTTPStatus.BAD_REQUEST,
        ErrorCode.PAYMENT_IN_PROGRESS: HTTPStatus.CONFLICT,
        ErrorCode.PAYMENT_CANCELLED: HTTPStatus.CONFLICT,
        ErrorCode.CARD_DECLINED: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.INSUFFICIENT_FUNDS: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.INVALID_CARD: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.AMOUNT_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.PROCESSOR_TIMEOUT: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.PROCESSOR_ERROR: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.GATEWAY_SIMULATED: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.ORDERING_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.INVENTORY_UNAVAILABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.GATEWAY_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.DATABASE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.EVENTS_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.REFUND_REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.RECORD_REFUSED: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.EVENT_REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
        RequestErrorCode.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
        ErrorCode.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.PAYMENT_NOT_FOUND: HTTPStatus.NOT_FOUND,
        ErrorCode.PAYMENT_ENDED: HTTPStatus.CONFLICT,
        ErrorCode.PAYMENT_NOT_REFUNDABLE: HTTPStatus.CONFLICT,
        ErrorCode.PAYMENT_DISPUTED: HTTPStatus.CONFLICT,
        ErrorCode.REFUND_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.REFUND_NOT_FOUND: HTTPStatus.NOT_FOUND,
        RequestErrorCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
        RequestErrorCode.INSUFFICIENT_SCOPE: HTTPStatus.FORBIDDEN,
        RequestErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
        RequestErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
        RequestErrorCode.REQUEST_TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
        RequestErrorCode.HEADERS_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        RequestErrorCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        RequestErrorCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        RequestErrorCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
        ErrorCode.SERVICE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        RequestErrorCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)


def problem(
    request: Request,
    error: PaymentError | RequestError,
    *,
    payment: Payment | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The response for an error; `members` are added to the body.

    By default, `instance` is the request's id. The requested path is never used, because it is the
    caller's input. A published failure is final, so its status is never 503.
    """
    status, message = STATUSES[error.code], error.message
    if payment is not None and payment.closes_its_order:
        status = min(status, HTTPStatus.UNPROCESSABLE_ENTITY)
        message = f"{message} {NEW_ORDER}"
    shown = PaymentBody.of(payment).model_dump(by_alias=True) if payment else None
    occurrence = instance or instance_of(request.state.headers["x-request-id"])
    body = problem_body(error.code, message, occurrence, status, payment=shown, **members)
    return Response(
        exact_json.dumps(body),
        status_code=status,
        media_type=_media_type(request),
        headers={"cache-control": "no-store", **_headers(status), **(headers or {})},
    )


def title_of(status: HTTPStatus) -> str:
    """The words that stand for the status, the same with every version of Python."""
    return TITLES.get(status, status.phrase)


def problem_body(
    code: ErrorCode | RequestErrorCode,
    message: str,
    instance: str,
    status: HTTPStatus,
    **members: Any,
) -> dict[str, Any]:
    """The members of RFC 9457, and those that every response has."""
    return {
        "type": f"urn:payment-service:problem:{code.lower().replace('_', '-')}",
        "title": title_of(status),
        "status": status.value,
        "detail": message,
        "instance": instance,
        "code": code,
        "success": False,
        "errorMessage": message,
        "payment": None,
        **members,
    }


def instance_of(request_id: str) -> str:
    """The URI that identifies a failed request."""
    return f"urn:uuid:{request_id}"


def _media_type(request: Request) -> str:
    wants_problem = PROBLEM_JSON in request.headers.get("accept", "").lower()
    return PROBLEM_JSON if wants_problem else "application/json"


def _headers(status: HTTPStatus) -> dict[str, str]:
    if status is HTTPStatus.UNAUTHORIZED:  # RFC 9110 section 11.6.1 requires it
        return {"www-authenticate": 'Bearer error="invalid_token"'}
    if status is HTTPStatus.FORBIDDEN:
        return {"www-authenticate": 'Bearer error="insufficient_scope"'}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return RETRY_LATER
    return {}
