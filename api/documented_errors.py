"""Which error codes each route can respond with, and an example of each for OpenAPI."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode

DETAILS: Mapping[ErrorCode | RequestErrorCode, str] = MappingProxyType(
    {
        RequestErrorCode.INVALID_REQUEST: "The request is not valid: amount: USD has 2 decimal "
        "places.",
        ErrorCode.ORDER_NOT_FOUND: "Order not found.",
        ErrorCode.ORDER_NOT_PENDING: "A payment of this order has failed, which closes the order. "
        "Place a new order.",
        ErrorCode.AMOUNT_MISMATCH: "Order validation failed: the order costs 150.00, not 15.00.",
        ErrorCode.CURRENCY_MISMATCH: "Order validation failed: the order is in EUR, not USD.",
        ErrorCode.RESERVATION_NOT_ACTIVE: "Reservation validation failed: it is released.",
        ErrorCode.CUSTOMER_MISMATCH: "The order belongs to another customer.",
        RequestErrorCode.UNAUTHENTICATED: "Send a valid bearer token of the right issuer.",
        RequestErrorCode.INSUFFICIENT_SCOPE: "The token lacks the scope payments:write.",
        ErrorCode.PAYMENT_IN_PROGRESS: "Another payment of this order is being processed.",
        ErrorCode.PAYMENT_CANCELLED: "The payment was cancelled.",
        ErrorCode.PAYMENT_ENDED: "The payment has ended. It can no longer be cancelled.",
        ErrorCode.PAYMENT_NOT_FOUND: "There is no such payment.",
        ErrorCode.PAYMENT_NOT_REFUNDABLE: "Only a payment that has succeeded can be refunded.",
        ErrorCode.PAYMENT_DISPUTED: "The customer's bank has disputed the payment.",
        ErrorCode.REFUND_NOT_FOUND: "There is no such refund.",
        ErrorCode.REFUND_TOO_LARGE: "The refund is more than what is left to refund.",
        ErrorCode.REFUND_REFUSED: "The payment gateway refused the refund (409).",
        RequestErrorCode.REQUEST_TOO_SLOW: "The request has not arrived within 10 s.",
        RequestErrorCode.HEADERS_TOO_LARGE: "The request has more than 100 headers.",
        RequestErrorCode.BODY_TOO_LARGE: "The body is larger than 16384 bytes.",
        RequestErrorCode.UNSUPPORTED_MEDIA_TYPE: "Send the header Content-Type: application/json.",
        ErrorCode.CARD_DECLINED: "The card was declined.",
        ErrorCode.INSUFFICIENT_FUNDS: "The account has insufficient funds.",
        ErrorCode.INVALID_CARD: "The card is not valid.",
        ErrorCode.AMOUNT_TOO_LARGE: "The amount is above the limit.",
        ErrorCode.PROCESSOR_TIMEOUT: "The processor did not answer in time.",
        ErrorCode.PROCESSOR_ERROR: "The payment gateway refused the request (400).",
        ErrorCode.GATEWAY_SIMULATED: "The payment gateway is a simulator: it takes no money.",
        ErrorCode.IDEMPOTENCY_KEY_REUSED: "This Idempotency-Key came with another request before.",
        RequestErrorCode.TOO_MANY_REQUESTS: "Too many requests: try again in 30 s.",
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
"""Failures that are published, because the order has been verified. This closes the order."""
FAILED_PAYMENT: Mapping[HTTPStatus, str] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: "the request is not valid, or the order cannot be paid with it. An "
        "order is closed once `payment-failed` is published: place a new one.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "the payment has failed and no money was kept. "
        "`payment-failed` is published, which closes the order: place a new one. Or the "
        "`Idempotency-Key` came with another request.",
        HTTPStatus.SERVICE_UNAVAILABLE: "a dependency is down, or there are too many requests. "
        "This does not close the order: send the same request again after `Retry-After`.",
    }
)
"""What an error means for the order, by the status of the response."""
COMMON_CODES = (
    RequestErrorCode.INVALID_REQUEST,
    RequestErrorCode.UNAUTHENTICATED,
    RequestErrorCode.INSUFFICIENT_SCOPE,
    RequestErrorCode.REQUEST_TOO_SLOW,
    RequestErrorCode.HEADERS_TOO_LARGE,
    RequestErrorCode.TOO_MANY_REQUESTS,
    ErrorCode.DATABASE_UNAVAILABLE,
    ErrorCode.SERVICE_UNAVAILABLE,
)
"""The codes that every route of payments and refunds can have."""
PAYMENT_CODES = (
    ErrorCode.ORDER_NOT_PENDING,
    ErrorCode.AMOUNT_MISMATCH,
    ErrorCode.CURRENCY_MISMATCH,
    ErrorCode.RESERVATION_NOT_ACTIVE,
    ErrorCode.CUSTOMER_MISMATCH,
    ErrorCode.ORDER_NOT_FOUND,
    ErrorCode.PAYMENT_IN_PROGRESS,
    ErrorCode.PAYMENT_CANCELLED,
    RequestErrorCode.BODY_TOO_LARGE,
    RequestErrorCode.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.CARD_DECLINED,
    ErrorCode.INSUFFICIENT_FUNDS,
    ErrorCode.INVALID_CARD,
    ErrorCode.AMOUNT_TOO_LARGE,
    ErrorCode.PROCESSOR_TIMEOUT,
    ErrorCode.PROCESSOR_ERROR,
    ErrorCode.GATEWAY_SIMULATED,
    ErrorCode.IDEMPOTENCY_KEY_REUSED,
    ErrorCode.ORDERING_UNAVAILABLE,
    ErrorCode.INVENTORY_UNAVAILABLE,
    ErrorCode.RECORD_REFUSED,
    ErrorCode.EVENT_REFUSED,
)
CANCEL_CODES = (
    ErrorCode.PAYMENT_NOT_FOUND,
    ErrorCode.PAYMENT_ENDED,
    RequestErrorCode.BODY_TOO_LARGE,
    RequestErrorCode.UNSUPPORTED_MEDIA_TYPE,
)
REFUND_CODES = (
    ErrorCode.PAYMENT_NOT_FOUND,
    ErrorCode.PAYMENT_NOT_REFUNDABLE,
    ErrorCode.PAYMENT_DISPUTED,
    RequestErrorCode.BODY_TOO_LARGE,
    RequestErrorCode.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.REFUND_TOO_LARGE,
    ErrorCode.REFUND_REFUSED,
    ErrorCode.IDEMPOTENCY_KEY_REUSED,
)
