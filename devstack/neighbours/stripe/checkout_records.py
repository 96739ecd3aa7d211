"""The records of Checkout Sessions and disputes, and how Stripe shows them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from devstack.neighbours.stripe.records import Charge, Intent, MoneyRecord

DisputeStatus = Literal[
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
]
CHARGED_BACK = frozenset({"needs_response", "under_review", "lost"})
"""While a dispute has one of these statuses, the bank has the money, and nothing is refunded."""
CLOSED = frozenset({"warning_closed", "won", "lost"})


class Session(MoneyRecord):
    """A Checkout Session. Its PaymentIntent exists only after the customer has tried to pay."""

    url: str
    expires_at: int
    product: str
    success_url: str
    cancel_url: str | None
    client_reference_id: str | None
    intent_metadata: dict[str, str]
    intent_description: str | None
    capture_method: Literal["automatic", "manual"]
    status: Literal["open", "complete", "expired"] = "open"
    payment_status: Literal["paid", "unpaid"] = "unpaid"
    payment_intent: str | None = None
    tries: int = 0
    """How many times the customer has acted on its page."""

    @property
    def order_id(self) -> str:
        return self.intent_metadata.get("order_id") or self.metadata.get("order_id", "")

    def shown(self, intent: Intent | None = None, charge: Charge | None = None) -> dict[str, Any]:
        """The object as Stripe shows it. `payment_intent` is expanded if it is given."""
        return {
            **self.model_dump(include={*_SAME}),
            **dict.fromkeys(_ABSENT),
            "object": "checkout.session",
            "livemode": False,
            "mode": "payment",
            "ui_mode": "hosted_page",
            "url": self.url if self.status == "open" else None,
            "payment_intent": intent.shown(charge) if intent else self.payment_intent,
            "payment_method_types": ["card"],
            "payment_method_collection": "if_required",
            "customer_creation": "if_required",
            "amount_subtotal": self.amount,
            "amount_total": self.amount,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "automatic_tax": {"enabled": False, "liability": None, "status": None},
            "custom_fields": [],
            "custom_text": dict.fromkeys(_TEXTS),
            "shipping_options": [],
        }


class Dispute(BaseModel):
    """A dispute: the cardholder's bank takes the money back, or asks about it (`warning_…`)."""

    model_config = ConfigDict(frozen=True)

    id: str
    amount: int
    currency: str
    created: int
    charge: str
    payment_intent: str
    status: DisputeStatus
    reason: str = "fraudulent"

    def shown(self) -> dict[str, Any]:
        return {
            **self.model_dump(),
            "object": "dispute",
            "livemode": False,
            "metadata": {},
            "balance_transactions": [],
            "enhanced_eligibility_types": [],
            "evidence": {"enhanced_evidence": {}},
            "evidence_details": {
                "due_by": None,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": self.status not in CHARGED_BACK,
        }


_SAME = (
    *("id", "created", "expires_at", "currency", "metadata", "client_reference_id"),
    *("success_url", "cancel_url", "status", "payment_status"),
)
"""Members that are shown unchanged."""
_TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
_ABSENT = (
    *("after_expiration", "allow_promotion_codes", "billing_address_collection", "client_secret"),
    *("consent", "consent_collection", "customer", "customer_details", "customer_email"),
    *("invoice", "locale", "payment_link", "payment_method_options", "recovered_from"),
    *("setup_intent", "shipping_cost", "submit_type", "subscription"),
)
"""Members that these sessions never have. Stripe sends them as null."""
