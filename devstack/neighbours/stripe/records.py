"""The records of PaymentIntents, charges and refunds, and how Stripe shows them."""

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from devstack.neighbours.stripe.currencies import in_major_units

IntentStatus = Literal[
    "requires_payment_method",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
]
RefundStatus = Literal["pending", "succeeded", "failed", "canceled"]


class MoneyRecord(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    amount: int
    currency: str
    created: int
    metadata: dict[str, str]

    @property
    def major_units(self) -> Decimal:
        return in_major_units(self.amount, self.currency)


class Intent(MoneyRecord):
    status: IntentStatus = "requires_payment_method"
    capture_method: Literal["automatic", "manual"]
    description: str | None = None
    client_secret: str
    payment_method: str | None = None
    amount_capturable: int = 0
    amount_received: int = 0
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    last_payment_error: dict[str, Any] | None = None
    next_action: dict[str, Any] | None = None
    latest_charge: str | None = None
    return_url: str | None = None
    action_secret: str | None = None
    """The value of the parameter `client_secret` in the address of the bank's page."""
    session: str | None = None
    """The id of the Checkout Session that made it."""
    after_action: dict[str, str] | None = None
    """The decline after the bank has authenticated the customer; None if the bank will accept."""

    def shown(self, charge: "Charge | None" = None) -> dict[str, Any]:
        """The object as Stripe shows it; `latest_charge` is expanded if `charge` is given."""
        members = self.model_dump(exclude={*_OWN})
        if charge is not None:
            members["latest_charge"] = charge.shown()
        return {
            **members,
            "object": "payment_intent",
            "livemode": False,
            "payment_method_types": ["card"],
            "confirmation_method": "automatic",
            **dict.fromkeys(_ABSENT_OF_INTENTS),
        }


class Charge(MoneyRecord):
    payment_intent: str
    payment_method: str
    status: Literal["succeeded", "failed"]
    captured: bool = False
    amount_captured: int = 0
    amount_refunded: int = 0
    """The total of refunds, with pending ones and without failed ones. A released authorization
    counts as refunded."""
    failure_code: str | None = None
    failure_message: str | None = None
    disputed: bool = False
    charged_back: bool = False
    """Whether a dispute forbids refunds. An inquiry and a dispute that was won do not."""

    @property
    def refundable(self) -> int:
        return self.amount_captured - self.amount_refunded

    def shown(self) -> dict[str, Any]:
        return {
            **self.model_dump(exclude={"charged_back"}),
            "object": "charge",
            "livemode": False,
            "paid": self.status == "succeeded",
            "refunded": 0 < self.amount == self.amount_refunded,
            "billing_details": {},
            **dict.fromkeys(_ABSENT_OF_CHARGES),
        }


class Refund(MoneyRecord):
    payment_intent: str
    charge: str
    status: RefundStatus
    reason: str | None = None
    pending_reason: str | None = None
    failure_reason: str | None = None

    def shown(self) -> dict[str, Any]:
        members = self.model_dump()
        for name in ("pending_reason", "failure_reason"):
            if members[name] is None:
                del members[name]
        return {**members, "object": "refund", **dict.fromkeys(_ABSENT_OF_REFUNDS)}


_OWN = frozenset({"return_url", "action_secret", "session", "after_action"})
"""Members of a PaymentIntent that Stripe does not show."""
_ABSENT_OF_INTENTS = (
    *("application", "application_fee_amount", "automatic_payment_methods", "customer"),
    *("on_behalf_of", "processing", "receipt_email", "review", "setup_future_usage", "shipping"),
    *("statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group"),
)
_ABSENT_OF_CHARGES = (
    *("application", "application_fee", "balance_transaction", "customer", "description"),
    *("outcome", "receipt_email", "receipt_url", "refunds", "transfer_group"),
)
_ABSENT_OF_REFUNDS = ("balance_transaction", "receipt_number", "transfer_reversal")
"""Members that these payments never have. Stripe sends them as null."""
