"""Maps Stripe's decline codes to ours: https://docs.stripe.com/declines/codes."""

from collections.abc import Mapping
from types import MappingProxyType

from activities.adapters.stripe.client import FailedTry
from domain.errors import ErrorCode

_INVALID_CARD = (
    *("authentication_not_handled", "authentication_required", "expired_card", "incorrect_address"),
    *("incorrect_cvc", "incorrect_number", "incorrect_pin", "incorrect_zip", "invalid_account"),
    *("invalid_cvc", "invalid_expiry_month", "invalid_expiry_year", "invalid_number"),
    *("invalid_pin", "mobile_device_authentication_required"),
    "payment_intent_authentication_failure",
)
"""Codes after which the customer can pay with other or corrected details. Some mean that the bank
could not authenticate the customer, or had to and the payment does not wait for that."""
_PROCESSOR_ERROR = (
    "issuer_not_available",
    "processing_error",
    "reenter_transaction",
    "try_again_later",
)

CODES: Mapping[str, ErrorCode] = MappingProxyType(
    {
        "insufficient_funds": ErrorCode.INSUFFICIENT_FUNDS,
        "withdrawal_count_limit_exceeded": ErrorCode.INSUFFICIENT_FUNDS,
        **dict.fromkeys(_INVALID_CARD, ErrorCode.INVALID_CARD),
        **dict.fromkeys(_PROCESSOR_ERROR, ErrorCode.PROCESSOR_ERROR),
    }
)
"""All other codes become CARD_DECLINED, so that callers cannot recognize a lost or stolen card."""

MESSAGES: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.CARD_DECLINED: "The card was declined.",
        ErrorCode.INSUFFICIENT_FUNDS: "The card has insufficient funds.",
        ErrorCode.INVALID_CARD: "The card cannot be used like this. Correct it, or use another.",
        ErrorCode.PROCESSOR_ERROR: "The card's bank could not process the payment.",
    }
)
"""Our own texts. Stripe's texts may reveal more than a caller should know."""


def read_decline(error: FailedTry) -> tuple[ErrorCode, str]:
    """Our code and our message for a declined card."""
    code = CODES.get(error.decline_code or error.code or "", ErrorCode.CARD_DECLINED)
    return code, MESSAGES[code]
