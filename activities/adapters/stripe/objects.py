"""The members of Stripe's objects that are read, and the states that follow from them.

https://docs.stripe.com/api/payment_intents/object, https://docs.stripe.com/api/refunds/object. The
PaymentIntent's `client_secret` is not among them: this service must not store it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool

from activities.adapters.response_body import ResponseBody
from activities.adapters.stripe.client import FailedTry
from domain.gateway import ChargeState, RefundState
from domain.text import Upper

IntentId = Annotated[str, Field(pattern=r"^pi_[A-Za-z0-9_]+$", max_length=255)]
SessionId = Annotated[str, Field(pattern=r"^cs_[A-Za-z0-9_]+$", max_length=255)]
RefundId = Annotated[str, Field(pattern=r"^(re|pyr)_[A-Za-z0-9_]+$", max_length=255)]
Units = Annotated[int, Field(ge=0)]


class StripeObject(ResponseBody):
    model_config = ConfigDict(hide_input_in_errors=True)


class LatestCharge(StripeObject):
    amount_captured: Units
    amount_refunded: Units
    """The total of the refunds, with those that are pending."""
    disputed: StrictBool


class Intent(StripeObject):
    object: Literal["payment_intent"]
    id: IntentId
    created: Units
    """Seconds since 1970."""
    status: str
    amount: Units
    amount_received: Units
    amount_capturable: Units
    currency: Upper
    capture_method: Literal["manual"]
    livemode: StrictBool
    metadata: dict[str, str]
    latest_charge: LatestCharge | None = None
    last_payment_error: FailedTry | None = None

    @property
    def state(self) -> ChargeState | None:
        """The state of the charge; None if the outcome is not decided, or the status is unknown.

        REFUNDED only means that there are refunds: they may be pending, or partial.
        """
        match self.status:
            case "requires_payment_method" | "requires_confirmation":
                return ChargeState.DECLINED if self.last_payment_error else ChargeState.OPEN
            case "requires_action":
                return ChargeState.WAITING
            case "requires_capture" if self.amount_capturable == self.amount:
                return ChargeState.AUTHORIZED
            case "canceled":
                return ChargeState.VOIDED
            case "succeeded" if self._is_whole and self.latest_charge:
                refunded = self.latest_charge.amount_refunded
                return ChargeState.REFUNDED if refunded else ChargeState.CAPTURED
            case _:
                return None

    @property
    def _is_whole(self) -> bool:
        captured = self.latest_charge and self.latest_charge.amount_captured
        return self.amount == self.amount_received == captured


class Session(StripeObject):
    """A Checkout Session. Its `url` is not among the members, because it is a secret."""

    object: Literal["checkout.session"]
    id: SessionId
    created: Units
    mode: Literal["payment"]
    status: str
    amount: Units = Field(alias="amount_total")
    currency: Upper
    livemode: StrictBool
    metadata: dict[str, str]
    payment_intent: Intent | None = None


class PaidFor(StripeObject):
    """A PaymentIntent made by any program. Ours names its payment and order in the metadata."""

    object: Literal["payment_intent"]
    id: IntentId
    metadata: dict[str, str]


class ListedDispute(StripeObject):
    object: Literal["dispute"]
    id: str
    payment_intent: str | None = None
    status: str


class DisputeList(StripeObject):
    object: Literal["list"]
    data: list[ListedDispute]


class MadeRefund(StripeObject):
    object: Literal["refund"]
    id: RefundId
    created: Units
    status: str
    amount: Units
    currency: Upper
    payment_intent: IntentId
    metadata: dict[str, str]

    @property
    def state(self) -> RefundState | None:
        """The state of the refund; None if its status is unknown."""
        return REFUND_STATES.get(self.status)


class RefundPage(StripeObject):
    object: Literal["list"]
    data: list[MadeRefund]
    has_more: StrictBool


REFUND_STATES: Mapping[str, RefundState] = MappingProxyType(
    {
        "pending": RefundState.PENDING,
        "requires_action": RefundState.PENDING,
        "succeeded": RefundState.SUCCEEDED,
        "failed": RefundState.FAILED,
        "canceled": RefundState.FAILED,
    }
)
