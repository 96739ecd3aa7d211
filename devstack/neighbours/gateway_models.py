"""The JSON bodies of the simulated gateway, and the amounts that it always declines."""

from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from devstack.neighbours.json_models import Amount, JsonModel, ShortText, UtcTime
from devstack.neighbours.times import utc_now
from domain.money import CurrencyCode, RecordedCurrency


class Behaviour(JsonModel):
    """The share of charges that succeed (0 to 1), and the time that each charge takes.

    Magic amounts are declined, whatever the success rate is. While `holds_responses` is true,
    charges are made, but their responses are not sent.
    """

    success_rate: float = Field(default=1.0, ge=0, le=1)
    latency_ms: int = Field(default=0, ge=0, le=600_000)
    holds_responses: bool = False


class ChargeRequest(JsonModel):
    payment_id: ShortText
    order_id: ShortText
    currency: CurrencyCode
    amount: Amount
    payment_method: ShortText


class Charge(JsonModel):
    """The charge of one idempotency key.

    If the key was voided before any charge, there is no payment, order or amount.
    """

    id: str
    key: str
    payment_id: str | None = None
    order_id: str | None = None
    amount: Decimal | None = None
    refunded_amount: Decimal | None = None
    currency: str | None = None
    payment_method: str | None = None
    state: Literal["captured", "declined", "voided", "refunded"]
    code: str | None = None
    message: str | None = None
    failure_reason: str | None = None
    is_simulated: bool = True
    response: str | None = None
    transaction_id: str | None = None
    created_at: UtcTime = Field(default_factory=utc_now)


class RefundRequest(JsonModel):
    charge_key: ShortText
    currency: RecordedCurrency
    amount: Amount


class Refund(JsonModel):
    id: str
    key: str
    charge_key: str
    charge_id: str
    currency: str
    amount: Decimal
    state: Literal["succeeded"] = "succeeded"
    created_at: UtcTime = Field(default_factory=utc_now)


class Decline(NamedTuple):
    """Why a charge is declined, as members of the charge."""

    code: str
    failure_reason: str
    message: str


CARD_DECLINED = Decline("CARD_DECLINED", "card_declined", "The card was declined.")
_AMOUNT_TOO_LARGE = Decline("AMOUNT_TOO_LARGE", "processor_error", "The amount is above the limit.")
_MIN_TOO_LARGE = Decimal("999999.99")
"""Amounts from here on are declined, in any currency. Chosen, not measured."""
_MAGIC_FRACTIONS = {
    Decimal("0.13"): CARD_DECLINED,
    Decimal("0.66"): Decline(
        "INSUFFICIENT_FUNDS", "insufficient_funds", "The account has insufficient funds."
    ),
    Decimal("0.99"): Decline(
        "PROCESSOR_TIMEOUT", "timeout", "The processor did not answer in time."
    ),
}
"""Declines by the fraction of the amount. They work as test card numbers do at real gateways."""


def magic_decline(amount: Decimal) -> Decline | None:
    """The decline that this amount always gets, if any."""
    if amount >= _MIN_TOO_LARGE:
        return _AMOUNT_TOO_LARGE
    return _MAGIC_FRACTIONS.get(amount % 1)
