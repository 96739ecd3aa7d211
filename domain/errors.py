"""The error codes of payments and refunds, and what follows from each.

`RULES` says whether a step that failed with a code may be retried, and which reason is published.
`api/errors.py` has the HTTP statuses. Decisions depend on codes, never on the text of a message.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, NamedTuple, Self

from pydantic import Field

from domain.text import readable


class FailureReason(StrEnum):
    """Why a payment failed: the values that consumers of `payment-failed` know."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_DECLINED = "card_declined"
    INVALID_CARD = "invalid_card"
    PROCESSOR_ERROR = "processor_error"
    TIMEOUT = "timeout"


class ErrorCode(StrEnum):
    """Why a payment, a refund or a step of one did not succeed."""

    # the order or the reservation does not allow the payment
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDER_NOT_PENDING = "ORDER_NOT_PENDING"
    CUSTOMER_MISMATCH = "CUSTOMER_MISMATCH"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    RESERVATION_NOT_ACTIVE = "RESERVATION_NOT_ACTIVE"
    PAYMENT_IN_PROGRESS = "PAYMENT_IN_PROGRESS"
    PAYMENT_CANCELLED = "PAYMENT_CANCELLED"
    # the gateway declines
    CARD_DECLINED = "CARD_DECLINED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    INVALID_CARD = "INVALID_CARD"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    PROCESSOR_TIMEOUT = "PROCESSOR_TIMEOUT"
    PROCESSOR_ERROR = "PROCESSOR_ERROR"
    GATEWAY_SIMULATED = "GATEWAY_SIMULATED"
    # another system does not respond; its effect, if any, is unknown
    ORDERING_UNAVAILABLE = "ORDERING_UNAVAILABLE"
    INVENTORY_UNAVAILABLE = "INVENTORY_UNAVAILABLE"
    GATEWAY_UNAVAILABLE = "GATEWAY_UNAVAILABLE"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    EVENTS_UNAVAILABLE = "EVENTS_UNAVAILABLE"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    # another system refuses, and would refuse a retry too
    REFUND_REFUSED = "REFUND_REFUSED"
    RECORD_REFUSED = "RECORD_REFUSED"
    EVENT_REFUSED = "EVENT_REFUSED"
    # the caller's request is not possible
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    PAYMENT_NOT_FOUND = "PAYMENT_NOT_FOUND"
    PAYMENT_ENDED = "PAYMENT_ENDED"
    PAYMENT_NOT_REFUNDABLE = "PAYMENT_NOT_REFUNDABLE"
    PAYMENT_DISPUTED = "PAYMENT_DISPUTED"
    REFUND_TOO_LARGE = "REFUND_TOO_LARGE"
    REFUND_NOT_FOUND = "REFUND_NOT_FOUND"

    @classmethod
    def read(cls, text: str | None, otherwise: Self) -> Self:
        """The code that another process has recorded, or `otherwise` if it is unknown here."""
        return cls(text) if text and text in cls._value2member_map_ else otherwise


RecordedReason = Annotated[FailureReason | str, Field(union_mode="left_to_right")]
RecordedCode = Annotated[ErrorCode | str, Field(union_mode="left_to_right")]
"""A recorded value. If only another version of this service knows it, it is read as text."""

MAX_MESSAGE = 2000
"""Maximum characters of a message; ours are shorter. Chosen, not measured."""


class PaymentError(Exception):
    """A payment, or a step of it, did not succeed. The code is stable, the message is for people.

    `retry_after` is the pause that the failed system asks for before the next request.
    """

    def __init__(self, code: ErrorCode, message: str, retry_after: timedelta | None = None) -> None:
        self.code = code
        self.message = readable(message, MAX_MESSAGE)
        self.retry_after = retry_after
        super().__init__(self.message)

    @classmethod
    def recorded(cls, code: str, message: str | None) -> Self:
        """The error of a recorded failure; PROCESSOR_ERROR for a code of another version."""
        return cls(ErrorCode.read(code, ErrorCode.PROCESSOR_ERROR), message or code)


class Rule(NamedTuple):
    """What follows from an error code."""

    retryable: bool
    """Whether the step may be tried again."""
    reason: FailureReason
    """The value of `failureReason` in the event `payment-failed`."""


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
        ErrorCode.IDEMPOTENCY_KEY_REUSED: _REFUSED,
        ErrorCode.PAYMENT_NOT_FOUND: _REFUSED,
        ErrorCode.PAYMENT_ENDED: _REFUSED,
        ErrorCode.PAYMENT_NOT_REFUNDABLE: _REFUSED,
        ErrorCode.PAYMENT_DISPUTED: _REFUSED,
        ErrorCode.REFUND_TOO_LARGE: _REFUSED,
        ErrorCode.REFUND_NOT_FOUND: _REFUSED,
        ErrorCode.SERVICE_UNAVAILABLE: _UNAVAILABLE,
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
