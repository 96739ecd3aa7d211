"""The responses of the OpenAPI description: statuses, examples, headers and links."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import UUID

from fastapi.routing import APIRoute

from api.documented_errors import COMMON_CODES, DETAILS, FAILED_PAYMENT, PUBLISHED
from api.errors import NEW_ORDER, PROBLEM_JSON, STATUSES, problem_body, title_of
from api.request_errors import RequestErrorCode
from api.schemas import PaymentEnvelope, PaymentProblem, RefundEnvelope
from domain import exact_json
from domain.errors import ErrorCode
from domain.instruction import PaymentInstruction, PaymentMethod
from domain.money import Money
from domain.payment import Payment
from domain.refund import Refund

Responses = dict[int | str, dict[str, Any]]

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PENDING = Payment.pending(
    PaymentInstruction(
        payment_id=UUID("0c1d6d0e-8b1f-4f43-9a35-6a0c8c1f7a11"),
        order_id=UUID("6a2f41a3-c54c-4ce8-9d57-0ab59e6fbd11"),
        customer_id=UUID("5b4a1b5e-0d51-4f7e-8c9b-2f6f1a3f0c11"),
        reservation_id=None,
        amount=Money.parse("150.00", "USD"),
        payment_method=PaymentMethod.CREDIT_CARD,
        requested_at=NOON,
    )
)
PAID = PENDING.succeeded(NOON).announced()
REFUND = Refund.pending(PAID, Money.parse("50.00", "USD"), "refund-1", NOON)
"""The payments and the refund of the examples."""

INSTANCE = "urn:uuid:9b2d7c1e-5f3a-4c0b-8f6e-2a1d0c9b8e7f"
HEADERS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "X-Request-Id": {
            "description": "The request's id, also in the logs: the one that the caller has sent, "
            "if it is a UUID.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "RateLimit-Policy": {
            "description": "A caller may send `q` requests in `w` seconds.",
            "schema": {"type": "string"},
            "example": '"caller";q=120;w=60',
        },
        "RateLimit": {
            "description": "The caller may send `r` more requests. The limit is reset after `t` "
            "seconds.",
            "schema": {"type": "string"},
            "example": '"caller";r=119;t=60',
        },
        "ETag": {
            "description": "Identifies this version of the response. Send it in `If-None-Match`.",
            "schema": {"type": "string"},
            "example": '"6a2f41a3c54c4ce89d570ab59e6fbd11"',
        },
        "Location": {
            "description": "The address of the payment or the refund.",
            "schema": {"type": "string"},
        },
        "Retry-After": {
            "description": "How many seconds to wait before the next request.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Idempotent-Replayed": {
            "description": "The response was sent before, for the same `Idempotency-Key`.",
            "schema": {"const": "true"},
        },
    }
)
COMMON_HEADERS = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
BARE_KEY = "[!#-~]([ !#-~]{0,253}[!#-~])?"
QUOTED_KEY = r'"([ !#-\[\]-~]|\\["\\]){1,255}"'
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters, with or without quotes. A request that is "
    "repeated with the same key gets the same response.",
    "schema": {"type": "string", "pattern": f"^({BARE_KEY}|{QUOTED_KEY})$"},
    "example": "order-6a2f41a3",
}


def operation_id(route: APIRoute) -> str:
    return route.name


def with_examples(description: dict[str, Any]) -> dict[str, Any]:
    """Parse the JSON text of every example, and return the description."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                _parse_examples(response.get("content", {}).get("application/json", {}))
    return description


def _parse_examples(content: dict[str, Any]) -> None:
    if "example" in content:
        content["example"] = json.loads(content["example"])
    for example in content.get("examples", {}).values():
        example["value"] = json.loads(example["value"])


def payment_responses(running_as: type[PaymentEnvelope]) -> Responses:
    """The responses 200 and 202 of a payment. `running_as` is the body of a running payment."""
    links = {
        name: {"operationId": name, "parameters": {"paymentId": "$response.body#/payment/id"}}
        for name in ("get_payment", "get_timeline", "cancel_payment", "create_refund")
    }
    paid = PaymentEnvelope.of(PAID, None)
    running = PaymentEnvelope.of(PENDING, "The payment is still being processed.")
    return {
        200: _success("The order is paid.", paid, ("Idempotent-Replayed",), links),
        202: {
            "model": running_as,
            **_success("The payment is running.", running, ("Location", "Retry-After"), {}),
        },
    }


def read_responses() -> Responses:
    """The responses 200 and 304 of a GET."""
    return {
        200: {"headers": _headers("ETag")},
        304: {
            "description": "The response is the one that `If-None-Match` identifies.",
            "headers": _headers("ETag"),
        },
    }


def refund_responses() -> Responses:
    """The responses 201 and 202 of a refund."""
    parameters = {
        "paymentId": "$response.body#/payment/id",
        "refundId": "$response.body#/refund/id",
    }
    links = {"get_refund": {"operationId": "get_refund", "parameters": parameters}}
    made = RefundEnvelope.about(REFUND.succeeded(NOON), PAID, None)
    running = RefundEnvelope.about(REFUND, PAID, "The refund is still being made.")
    return {
        201: _success("The money is refunded.", made, ("Location",), links),
        202: {
            "model": RefundEnvelope,
            **_success("The refund is running.", running, ("Location", "Retry-After"), {}),
        },
    }


def failures(*codes: ErrorCode | RequestErrorCode) -> Responses:
    """The error responses of a route by status, with an example for each code."""
    responses: Responses = {}
    for code in (*COMMON_CODES, *codes):
        response = responses.setdefault(STATUSES[code], _failure(STATUSES[code]))
        examples = response["content"]["application/json"]["examples"]
        examples[code] = {"value": _problem(code)}
    return responses


def payment_failures(*codes: ErrorCode | RequestErrorCode) -> Responses:
    """The error responses of a payment. Their descriptions say what they mean for the order."""
    responses = failures(*codes)
    for status, words in FAILED_PAYMENT.items():
        responses[status]["description"] = f"{title_of(status)}: {words}"
    return responses


def _success(
    description: str, example: Any, headers: tuple[str, ...], links: dict[str, Any]
) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _headers(*headers),
        "content": {"application/json": {"example": _text(example)}},
        "links": links,
    }


def _failure(status: HTTPStatus) -> dict[str, Any]:
    has_retry_after = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    schema = {"$ref": f"#/components/schemas/{PaymentProblem.__name__}"}
    return {
        "model": PaymentProblem,
        "description": title_of(status),
        "headers": _headers(*(("Retry-After",) if has_retry_after else ())),
        "content": {
            "application/json": {"examples": {}},
            PROBLEM_JSON: {"schema": schema},
        },
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: HEADERS[name] for name in (*COMMON_HEADERS, *names)}


def _problem(code: ErrorCode | RequestErrorCode) -> str:
    members = dict(_field_errors(code))
    detail = f"{DETAILS[code]} {NEW_ORDER}" if code in PUBLISHED else DETAILS[code]
    return _text(problem_body(code, detail, INSTANCE, STATUSES[code], **members))


def _field_errors(code: ErrorCode | RequestErrorCode) -> Iterator[tuple[str, Any]]:
    if code is RequestErrorCode.INVALID_REQUEST:
        yield "errors", [{"field": "amount", "message": "USD has 2 decimal places"}]


def _text(body: Any) -> str:
    """The JSON text of an example; `with_examples` parses it.

    It is not an object here, because FastAPI would remove the members that are null.
    """
    return exact_json.dumps(body).decode()
