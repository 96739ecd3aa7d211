"""What the OpenAPI description says of every answer: examples, headers and where they lead."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from uuid import UUID

from fastapi.routing import APIRoute

from api.errors import NEW_ORDER, PROBLEM_JSON, STATUSES, problem_body
from api.schemas import PaymentEnvelope, PaymentProblem, RefundEnvelope
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.money import Money
from domain.payment import Payment, PaymentInstruction, PaymentMethod
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

INSTANCE = "urn:uuid:9b2d7c1e-5f3a-4c0b-8f6e-2a1d0c9b8e7f"
DETAILS: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.INVALID_REQUEST: "The request is not valid: amount: USD has 2 decimal places.",
        ErrorCode.ORDER_NOT_FOUND: "Order not found.",
        ErrorCode.ORDER_NOT_PENDING: "A payment of this order has failed, which closes the order. "
        "Place a new order.",
        ErrorCode.AMOUNT_MISMATCH: "Order validation failed: the order costs 150.00, not 15.00.",
        ErrorCode.CURRENCY_MISMATCH: "Order validation failed: the order is in EUR, not USD.",
        ErrorCode.RESERVATION_NOT_ACTIVE: "Reservation validation failed: it is released.",
        ErrorCode.CUSTOMER_MISMATCH: "The order belongs to another customer.",
        ErrorCode.UNAUTHENTICATED: "Send a valid bearer token of the right issuer.",
        ErrorCode.INSUFFICIENT_SCOPE: "The token lacks the scope payments:write.",
        ErrorCode.PAYMENT_IN_PROGRESS: "Another payment of this order is being processed.",
        ErrorCode.PAYMENT_CANCELLED: "The payment was cancelled.",
        ErrorCode.PAYMENT_ENDED: "The payment has ended. It can no longer be cancelled.",
        ErrorCode.PAYMENT_NOT_FOUND: "There is no such payment.",
        ErrorCode.PAYMENT_NOT_REFUNDABLE: "Only a payment that has succeeded can be refunded.",
        ErrorCode.REFUND_NOT_FOUND: "There is no such refund.",
        ErrorCode.REFUND_TOO_LARGE: "The refund is more than what is left to refund.",
        ErrorCode.REFUND_REFUSED: "The payment gateway refused the refund (409).",
        ErrorCode.REQUEST_TOO_SLOW: "The request has not arrived within 10 s.",
        ErrorCode.HEADERS_TOO_LARGE: "The request has more than 100 headers.",
        ErrorCode.BODY_TOO_LARGE: "The body is larger than 16384 bytes.",
        ErrorCode.UNSUPPORTED_MEDIA_TYPE: "Send the header Content-Type: application/json.",
        ErrorCode.CARD_DECLINED: "The card was declined.",
        ErrorCode.INSUFFICIENT_FUNDS: "The account has insufficient funds.",
        ErrorCode.INVALID_CARD: "The card is not valid.",
        ErrorCode.AMOUNT_TOO_LARGE: "The amount is above the limit.",
        ErrorCode.PROCESSOR_TIMEOUT: "The processor did not answer in time.",
        ErrorCode.PROCESSOR_ERROR: "The payment gateway refused the request (400).",
        ErrorCode.GATEWAY_SIMULATED: "The payment gateway is a simulator: it takes no money.",
        ErrorCode.IDEMPOTENCY_KEY_REUSED: "This Idempotency-Key came with another request before.",
        ErrorCode.TOO_MANY_REQUESTS: "Too many requests: try again in 30 s.",
        ErrorCode.ORDERING_UNAVAILABLE: "Ordering is not available (ConnectError).",
        ErrorCode.INVENTORY_UNAVAILABLE: "Inventory is not available (ConnectError).",
        ErrorCode.DATABASE_UNAVAILABLE: "The database does not answer.",
        ErrorCode.RECORD_REFUSED: "The payment is no longer pending; it cannot succeed.",
        ErrorCode.EVENT_REFUSED: "Kafka has no topic payment-succeeded.",
        ErrorCode.SERVICE_UNAVAILABLE: "Payments cannot be processed just now.",
    }
)
PUBLISHED = frozenset(
    {
        ErrorCode.RESERVATION_NOT_ACTIVE,
        ErrorCode.CARD_DECLINED,
        ErrorCode.INSUFFICIENT_FUNDS,
        ErrorCode.INVALID_CARD,
        ErrorCode.AMOUNT_TOO_LARGE,
        ErrorCode.PROCESSOR_TIMEOUT,
        ErrorCode.PROCESSOR_ERROR,
        ErrorCode.GATEWAY_SIMULATED,
        ErrorCode.INVENTORY_UNAVAILABLE,
        ErrorCode.EVENT_REFUSED,
    }
)
"""Failures of payments whose order has been verified: they are published, which closes it."""
FAILED_PAYMENT: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: "the request is not valid, or the order cannot be paid by it. An "
        "order is closed once `payment-failed` is published: place a new one.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "the payment has failed and no money was kept. "
        "`payment-failed` is published, which closes the order: place a new one. Or the "
        "`Idempotency-Key` came with another request.",
        HTTPStatus.SERVICE_UNAVAILABLE: "a dependency is down, or there are too many requests. "
        "This does not close the order: send the same request again after `Retry-After`.",
    }
)
"""What follows for the order, by the status of a payment's answer."""
EVERYWHERE = (
    ErrorCode.INVALID_REQUEST,
    ErrorCode.UNAUTHENTICATED,
    ErrorCode.INSUFFICIENT_SCOPE,
    ErrorCode.REQUEST_TOO_SLOW,
    ErrorCode.HEADERS_TOO_LARGE,
    ErrorCode.TOO_MANY_REQUESTS,
    ErrorCode.DATABASE_UNAVAILABLE,
    ErrorCode.SERVICE_UNAVAILABLE,
)
"""What every address of payments may answer."""

HEADERS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "X-Request-Id": {
            "description": "The request's id, also in the logs: the caller's own if it is a UUID.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "RateLimit-Policy": {
            "description": "How many requests `q` a caller may send in `w` seconds.",
            "schema": {"type": "string"},
            "example": '"caller";q=120;w=60',
        },
        "RateLimit": {
            "description": "How many requests are left, `r`, and in how many seconds there are "
            "more, `t`.",
            "schema": {"type": "string"},
            "example": '"caller";r=119;t=60',
        },
        "ETag": {
            "description": "Names this very answer: for `If-None-Match`.",
            "schema": {"type": "string"},
            "example": '"6a2f41a3c54c4ce89d570ab59e6fbd11"',
        },
        "Location": {
            "description": "Where the payment or the refund is read.",
            "schema": {"type": "string"},
        },
        "Retry-After": {
            "description": "After how many seconds to come back.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Idempotent-Replayed": {
            "description": "The answer was given before, for the same `Idempotency-Key`.",
            "schema": {"const": "true"},
        },
    }
)
ALWAYS = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
BARE = "[!#-~]([ !#-~]{0,253}[!#-~])?"
QUOTED = r'"([ !#-\[\]-~]|\\["\\]){1,255}"'
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters, quoted or bare. A request that is "
    "repeated with its key gets the same answer.",
    "schema": {"type": "string", "pattern": f"^({BARE}|{QUOTED})$"},
    "example": "order-6a2f41a3",
}


def operation_id(route: APIRoute) -> str:
    return route.name


def with_examples(description: dict[str, Any]) -> dict[str, Any]:
    """The description with every example as the JSON that is sent."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                _read_examples(response.get("content", {}).get("application/json", {}))
    return description


def _read_examples(content: dict[str, Any]) -> None:
    if "example" in content:
        content["example"] = json.loads(content["example"])
    for example in content.get("examples", {}).values():
        example["value"] = json.loads(example["value"])


def payment_answers() -> Responses:
    """How a payment is answered that has succeeded, or takes long."""
    leads_to = {
        name: {"operationId": name, "parameters": {"paymentId": "$response.body#/payment/id"}}
        for name in ("get_payment", "get_timeline", "cancel_payment", "create_refund")
    }
    paid = PaymentEnvelope.of(PAID, None)
    running = PaymentEnvelope.of(PENDING, "The payment is still being processed.")
    return {
        200: _success("The order is paid.", paid, ("Idempotent-Replayed",), leads_to),
        202: {
            "model": PaymentEnvelope,
            **_success("It is still running.", running, ("Location", "Retry-After"), {}),
        },
    }


def readings() -> Responses:
    """How something is read, or read again by who has it already."""
    return {
        200: {"headers": _headers("ETag")},
        304: {"description": "`If-None-Match` names what is here.", "headers": _headers("ETag")},
    }


def refund_answers() -> Responses:
    """How a refund is answered that has been made, or takes long."""
    parameters = {
        "paymentId": "$response.body#/payment/id",
        "refundId": "$response.body#/refund/id",
    }
    leads_to = {"get_refund": {"operationId": "get_refund", "parameters": parameters}}
    made = RefundEnvelope.about(REFUND.succeeded(NOON), PAID, None)
    running = RefundEnvelope.about(REFUND, PAID, "The refund is still being made.")
    return {
        201: _success("The money is given back.", made, ("Location",), leads_to),
        202: {
            "model": RefundEnvelope,
            **_success("It is still running.", running, ("Location", "Retry-After"), {}),
        },
    }


def failures(*codes: ErrorCode) -> Responses:
    """Every failure of an address, by its status, each code with an example."""
    responses: Responses = {}
    for code in (*EVERYWHERE, *codes):
        response = responses.setdefault(STATUSES[code], _failure(STATUSES[code]))
        examples = response["content"]["application/json"]["examples"]
        examples[code] = {"value": _problem(code)}
    return responses


def payment_failures(*codes: ErrorCode) -> Responses:
    """Every failure of a payment, with what follows for its order."""
    responses = failures(*codes)
    for status, words in FAILED_PAYMENT.items():
        responses[status]["description"] = f"{status.phrase}: {words}"
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
    waits = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    schema = {"$ref": f"#/components/schemas/{PaymentProblem.__name__}"}
    return {
        "model": PaymentProblem,
        "description": status.phrase,
        "headers": _headers(*(("Retry-After",) if waits else ())),
        "content": {
            "application/json": {"examples": {}},
            PROBLEM_JSON: {"schema": schema},
        },
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: HEADERS[name] for name in (*ALWAYS, *names)}


def _problem(code: ErrorCode) -> str:
    members = dict(_field_errors(code))
    detail = f"{DETAILS[code]} {NEW_ORDER}" if code in PUBLISHED else DETAILS[code]
    error = PaymentError(code, detail)
    return _text(problem_body(error, INSTANCE, STATUSES[code], **members))


def _field_errors(code: ErrorCode) -> Iterator[tuple[str, Any]]:
    if code is ErrorCode.INVALID_REQUEST:
        yield "errors", [{"field": "amount", "message": "USD has 2 decimal places"}]


def _text(body: Any) -> str:
    """Examples are text until `with_examples`: FastAPI leaves out what is null."""
    return exact_json.dumps(body).decode()
