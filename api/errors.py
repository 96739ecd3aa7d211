"""Failures as the callers see them: RFC 9457 problems that also carry the contract's members.

The HTTP status of every error code stands in `STATUSES`. A failure is sent as `application/json`,
which existing callers can parse, unless `Accept` names `application/problem+json`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response

from api.schemas import PaymentBody
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment

PROBLEM_JSON = "application/problem+json"
LATER = {"retry-after": "5"}
"""When to come back, in seconds."""
NEW_ORDER = "The order is closed by this failure: place a new order."

STATUSES: Mapping[ErrorCode, HTTPStatus] = MappingProxyType(
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
        ErrorCode.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
        ErrorCode.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.PAYMENT_NOT_FOUND: HTTPStatus.NOT_FOUND,
        ErrorCode.PAYMENT_ENDED: HTTPStatus.CONFLICT,
        ErrorCode.PAYMENT_NOT_REFUNDABLE: HTTPStatus.CONFLICT,
        ErrorCode.REFUND_TOO_LARGE: HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorCode.REFUND_NOT_FOUND: HTTPStatus.NOT_FOUND,
        ErrorCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
        ErrorCode.INSUFFICIENT_SCOPE: HTTPStatus.FORBIDDEN,
        ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
        ErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
        ErrorCode.REQUEST_TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
        ErrorCode.HEADERS_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        ErrorCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ErrorCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ErrorCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
        ErrorCode.SERVICE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        ErrorCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)


def problem(
    request: Request,
    error: PaymentError,
    *,
    payment: Payment | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The answer for a failure; `members` are added to the body.

    Its `instance` is the request's id, unless another is given: never the address that was asked
    for, which is the caller's input. A failure that was published is final: it is never a 503.
    """
    status = STATUSES[error.code]
    if payment is not None and payment.closes_its_order:
        status = min(status, HTTPStatus.UNPROCESSABLE_ENTITY)
        error = PaymentError(error.code, f"{error.message} {NEW_ORDER}")
    shown = PaymentBody.of(payment).model_dump(by_alias=True) if payment else None
    occurrence = instance or instance_of(request.state.headers["x-request-id"])
    return Response(
        exact_json.dumps(problem_body(error, occurrence, status, payment=shown, **members)),
        status_code=status,
        media_type=_media_type(request),
        headers={"cache-control": "no-store", **_headers(status), **(headers or {})},
    )


def problem_body(
    error: PaymentError, instance: str, status: HTTPStatus, payment: Any = None, **members: Any
) -> dict[str, Any]:
    """The members of RFC 9457, and those that every answer has."""
    return {
        "type": f"urn:payment-service:problem:{error.code.lower().replace('_', '-')}",
        "title": status.phrase,
        "status": status.value,
        "detail": error.message,
        "instance": instance,
        "code": error.code,
        "success": False,
        "errorMessage": error.message,
        "payment": payment,
        **members,
    }


def instance_of(request_id: str) -> str:
    return f"urn:uuid:{request_id}"


def _media_type(request: Request) -> str:
    wants_problem = PROBLEM_JSON in request.headers.get("accept", "").lower()
    return PROBLEM_JSON if wants_problem else "application/json"


def _headers(status: HTTPStatus) -> dict[str, str]:
    if status is HTTPStatus.UNAUTHORIZED:  # RFC 9110 section 11.6.1 asks for it
        return {"www-authenticate": 'Bearer error="invalid_token"'}
    if status is HTTPStatus.FORBIDDEN:
        return {"www-authenticate": 'Bearer error="insufficient_scope"'}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return LATER
    return {}
