"""What can go wrong with a payment: one code per outcome, and what follows from it.

Whether a code may be retried and what the world is told stands in `RULES` below; its HTTP
status stands in `api/errors.py`. Nobody decides anything by the text of a message.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, NamedTuple, Self

from pydantic import Field

from domain.text import readable


class FailureReason(StrEnum):
    """Why a payment failed, in the words that consumers of `payment-failed` know."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_DECLINED = "card_declined"
    INVALID_CARD = "invalid_card"
    PROCESSOR_ERROR = "processor_error"
    TIMEOUT = "timeout"


class ErrorCode(StrEnum):
    # the order or the reservation does not allow the payment
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDER_NOT_PENDING = "ORDER_NOT_PENDING"
    CUSTOMER_MISMATCH = "CUSTOMER_MISMATCH"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    RESERVATION_NOT_ACTIVE = "RESERVATION_NOT_ACTIVE"
    PAYMENT_IN_PROGRESS = "PAYMENT_IN_PROGRESS"
    PAYMENT_CANCELLED = "PAYMENT_CANCELLED"
    # the gateway's answer
    CARD_DECLINED = "CARD_DECLINED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    INVALID_CARD = "INVALID_CARD"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    PROCESSOR_TIMEOUT = "PROCESSOR_TIMEOUT"
    PROCESSOR_ERROR = "PROCESSOR_ERROR"
    GATEWAY_SIMULATED = "GATEWAY_SIMULATED"
    # a neighbour that does not answer; its effect, if any, is unknown
    ORDERING_UNAVAILABLE = "ORDERING_UNAVAILABLE"
    INVENTORY_UNAVAILABLE = "INVENTORY_UNAVAILABLE"
    GATEWAY_UNAVAILABLE = "GATEWAY_UNAVAILABLE"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    EVENTS_UNAVAILABLE = "EVENTS_UNAVAILABLE"
    # a neighbour that refuses for good
    REFUND_REFUSED = "REFUND_REFUSED"
    RECORD_REFUSED = "RECORD_REFUSED"
    EVENT_REFUSED = "EVENT_REFUSED"
    # the HTTP interface
    INVALID_REQUEST = "INVALID_REQUEST"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    PAYMENT_ENDED = "PAYMENT_ENDED"
    PAYMENT_NOT_REFUNDABLE = "PAYMENT_NOT_REFUNDABLE"
    REFUND_TOO_LARGE = "REFUND_TOO_LARGE"
    REFUND_NOT_FOUND = "REFUND_NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    REQUEST_TOO_SLOW = "REQUEST_TOO_SLOW"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"

    @classmethod
    def read(cls, text: str | None, otherwise: Self) -> Self:
        """The code that another process wrote, or `otherwise` if it is none of ours."""
        return cls(text) if text and text in cls._value2member_map_ else otherwise


RecordedReason = Annotated[FailureReason | str, Field(union_mode="left_to_right")]
RecordedCode = Annotated[ErrorCode | str, Field(union_mode="left_to_right")]
"""What is recorded: an earlier or a later version may have known others, which are read as text."""

MAX_MESSAGE = 2000
"""Letters of a message: more than we write. Chosen, not measured."""


class PaymentError(Exception):
    """A payment, or a step of it, did not succeed. The code is stable, the message for people.

    `retry_after` is how long the system that failed wants to be left alone.
    """

    def __init__(self, code: ErrorCode, message: str, retry_after: timedelta | None = None) -> None:
        self.code = code
        self.message = readable(message, MAX_MESSAGE)
        self.retry_after = retry_after
        super().__init__(self.message)

    @classmethod
    def recorded(cls, code: str, message: str | None) -> Self:
        """Why what is recorded has failed; PROCESSOR_ERROR for a code of another version."""
        return cls(ErrorCode.read(code, ErrorCode.PROCESSOR_ERROR), message or code)


class Rule(NamedTuple):
    """What follows from an error code: may the step be tried again, and what are others told."""

    retryable: bool
    reason: FailureReason


_REFUSED = Rule(retryable=False, reason=FailureReason.PROCESSOR_ERROR)
_UNAVAILABLE = Rule(retryable=True, reason=FailureReason.TIMEOUT)

RULES: Mapping[ErrorCode, Rule] = MappingProxyType(
    {
        ErrorCode.ORDER_NOT_FOUND: _REFUSED,
        ErrorCode.ORDER_NOT_PENDING: _REFUSED,
        ErrorCode.CUSTOMER_MISMATCH: _REFUSED,
        ErrorCode.AMOUNT_MISMATCH: _REFUSED,
        ErrorCode.CURRENCY_MISMATCH: _REFUSED,
        ErrorCode.RESERVATION_NOT_ACTIVE: _REFUSED,
        ErrorCode.PAYMENT_IN_PROGRESS: _REFUSED,
        ErrorCode.PAYMENT_CANCELLED: _REFUSED,
        ErrorCode.CARD_DECLINED: Rule(False, FailureReason.CARD_DECLINED),
        ErrorCode.INSUFFICIENT_FUNDS: Rule(False, FailureReason.INSUFFICIENT_FUNDS),
        ErrorCode.INVALID_CARD: Rule(False, FailureReason.INVALID_CARD),
        ErrorCode.AMOUNT_TOO_LARGE: _REFUSED,
        ErrorCode.PROCESSOR_TIMEOUT: Rule(False, FailureReason.TIMEOUT),
        ErrorCode.PROCESSOR_ERROR: _REFUSED,
        ErrorCode.GATEWAY_SIMULATED: _REFUSED,
        ErrorCode.ORDERING_UNAVAILABLE: _UNAVAILABLE,
        ErrorCode.INVENTORY_UNAVAILABLE: _UNAVAILABLE,
        ErrorCode.GATEWAY_UNAVAILABLE: _UNAVAILABLE,
        ErrorCode.DATABASE_UNAVAILABLE: _UNAVAILABLE,
        ErrorCode.EVENTS_UNAVAILABLE: _UNAVAILABLE,
        ErrorCode.REFUND_REFUSED: _REFUSED,
        ErrorCode.RECORD_REFUSED: _REFUSED,
        ErrorCode.EVENT_REFUSED: _REFUSED,
        ErrorCode.INVALID_REQUEST: _REFUSED,
        ErrorCode.IDEMPOTENCY_KEY_REUSED: _REFUSED,
        ErrorCode.PAYMENT_NOT_FOUND: _REFUSED,
        ErrorCode.PAYMENT_ENDED: _REFUSED,
        ErrorCode.PAYMENT_NOT_REFUNDABLE: _REFUSED,
        ErrorCode.REFUND_TOO_LARGE: _REFUSED,
        ErrorCode.REFUND_NOT_FOUND: _REFUSED,
        ErrorCode.UNAUTHENTICATED: _REFUSED,
        ErrorCode.INSUFFICIENT_SCOPE: _REFUSED,
        ErrorCode.NOT_FOUND: _REFUSED,
        ErrorCode.METHOD_NOT_ALLOWED: _REFUSED,
        ErrorCode.REQUEST_TOO_SLOW: _REFUSED,
        ErrorCode.HEADERS_TOO_LARGE: _REFUSED,
        ErrorCode.BODY_TOO_LARGE: _REFUSED,
        ErrorCode.UNSUPPORTED_MEDIA_TYPE: _REFUSED,
        ErrorCode.TOO_MANY_REQUESTS: _UNAVAILABLE,
        ErrorCode.SERVICE_UNAVAILABLE: _UNAVAILABLE,
        ErrorCode.INTERNAL_ERROR: _REFUSED,
    }
)

NEVER_PUBLISHED = frozenset(
    {
        ErrorCode.ORDER_NOT_FOUND,
        ErrorCode.ORDER_NOT_PENDING,
        ErrorCode.CUSTOMER_MISMATCH,
        ErrorCode.AMOUNT_MISMATCH,
        ErrorCode.CURRENCY_MISMATCH,
        ErrorCode.ORDERING_UNAVAILABLE,
        ErrorCode.PAYMENT_IN_PROGRESS,
    }
)
"""Failures with these codes are never published: the order was not verified."""
