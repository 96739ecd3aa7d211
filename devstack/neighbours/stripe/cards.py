"""Stripe's test cards, by their PaymentMethod: https://docs.stripe.com/testing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Decline(NamedTuple):
    """Members of the error of a declined card."""

    code: str
    decline_code: str
    message: str


class Card(NamedTuple):
    """What happens to a card. `asks`: its bank wants to authenticate the customer first."""

    decline: Decline | None = None
    asks: bool = False


def _declined(decline_code: str, message: str = "Your card was declined.") -> Card:
    return Card(Decline("card_declined", decline_code, message))


GENERIC_DECLINE = Decline("card_declined", "generic_decline", "Your card was declined.")
NOT_AUTHENTICATED = Decline(
    "authentication_required",
    "authentication_not_handled",
    "This payment required an authentication action to complete, but `error_on_requires_action` "
    "was set.",
)
"""The decline if the bank wants to authenticate the customer and the request does not allow it."""

CARDS: Mapping[str, Card] = MappingProxyType(
    {
        **dict.fromkeys(
            ("visa", "visa_debit", "mastercard", "mastercard_debit", "amex", "discover", "jcb"),
            Card(),
        ),
        "chargeDeclined": Card(GENERIC_DECLINE),
        "chargeDeclinedInsufficientFunds": _declined(
            "insufficient_funds", "Your card has insufficient funds."
        ),
        "chargeDeclinedLostCard": _declined("lost_card"),
        "chargeDeclinedStolenCard": _declined("stolen_card"),
        "chargeDeclinedFraudulent": _declined("fraudulent"),
        "visa_chargeDeclinedVelocityLimitExceeded": _declined("card_velocity_exceeded"),
        "chargeDeclinedExpiredCard": Card(
            Decline("expired_card", "expired_card", "Your card has expired.")
        ),
        "chargeDeclinedIncorrectCvc": Card(
            Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
        ),
        "chargeDeclinedProcessingError": Card(
            Decline(
                "processing_error",
                "processing_error",
                "An error occurred while processing your card. Try again in a little bit.",
            )
        ),
        "authenticationRequired": Card(asks=True),
        "threeDSecure2Required": Card(asks=True),
        "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
            Decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
            asks=True,
        ),
    }
)
"""Cards by the end of their names: the PaymentMethod of `visa` is `pm_card_visa`."""

PREFIX = "pm_card_"
