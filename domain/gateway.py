"""Requests to a payment gateway, and its responses."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from domain.customer_action import CustomerAction
from domain.errors import RULES, ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.money import Money
from domain.optional import left_out_if
from domain.text import Text


class ChargeState(StrEnum):
    """The state of a charge at its gateway."""

    OPEN = "open"
    """The attempt exists, and no money can move: only our own request could authorize it."""
    WAITING = "waiting"
    """The customer must act at the gateway. Then the attempt is authorized or declined. No money
    moves before our request to capture it."""
    AUTHORIZED = "authorized"
    """The bank has set the amount aside. No money moves before our request to capture it."""
    CAPTURED = "captured"
    DECLINED = "declined"
    """Nothing was captured. If the gateway opens, the attempt must still be voided."""
    VOIDED = "voided"
    REFUNDED = "refunded"


NOT_MADE = frozenset({ChargeState.OPEN, ChargeState.WAITING, ChargeState.AUTHORIZED})
"""The states in which no money has moved and a later request can still capture."""
ENDED = frozenset({ChargeState.CAPTURED, ChargeState.VOIDED, ChargeState.REFUNDED})
"""The final states. No request can capture the charge then, not even a request that was sent
earlier and arrives late."""


class ChargeIdentity(BaseModel):
    """Identifies a charge at its gateway."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Our idempotency key. It contains the payment's id (`domain.names.payment_of`)."""
    amount: Money | None
    """The whole amount, which must be the same at the gateway. None in payments of version 0.1.0,
    whose amount is not compared."""
    reference: str | None = None
    """The gateway's id, if the gateway opens."""


class ChargeRequest(BaseModel):
    """Charge `amount`, only once even if this is sent again: `key` is the idempotency key.

    A gateway that opens gets a key of its own for each kind of request
    (`open_key` and its neighbours in `domain.names`).
    """

    model_config = ConfigDict(frozen=True)

    key: str
    payment_id: UUID
    order_id: UUID
    amount: Money
    payment_method: str
    gateway: Annotated[str, left_out_if(GatewayName.SIMULATOR)] = GatewayName.SIMULATOR
    reference: Annotated[str | None, left_out_if(None)] = None
    """The gateway's id of the attempt, if the gateway opens and the attempt is open."""
    token: str | None = Field(default=None, exclude=True, repr=False)
    """The token that the gateway's script has made for the card. It is never serialized."""
    customer_action: Annotated[CustomerAction | None, left_out_if(None)] = None
    """How the payment may wait for its customer. None: if the bank wants to authenticate the
    customer, the charge is declined."""
    page_until: Annotated[datetime | None, left_out_if(None)] = None
    """When the gateway's own page closes by itself. The saga closes it sooner. None: there is no
    page."""

    @property
    def has_page(self) -> bool:
        """Whether the customer gives the card on the gateway's own page."""
        return self.page_until is not None

    @property
    def identity(self) -> ChargeIdentity:
        return ChargeIdentity(key=self.key, amount=self.amount, reference=self.reference)


class Charge(BaseModel):
    """The gateway's definite answer about one key. For an unknown outcome there is no `Charge`."""

    model_config = ConfigDict(frozen=True)

    key: str
    state: ChargeState
    transaction_id: Text | None = None
    error_code: ErrorCode | None = None
    message: Text | None = None
    is_simulated: bool = False
    simulated_response: Text | None = None
    reference: Annotated[Text | None, left_out_if(None)] = None
    """The gateway's id of the attempt, if the gateway opens."""
    tries: int = 1
    """How many tries this answer took."""

    def explained_by(self, error: PaymentError) -> Self:
        """The same charge; if it is voided, with the reason that follows from `error`.

        After `error`, the outcome of the charge was unknown.
        """
        if self.state is not ChargeState.VOIDED:
            return self
        if not RULES[error.code].retryable:
            return self.model_copy(update={"error_code": error.code, "message": error.message})
        return self.model_copy(
            update={
                "error_code": ErrorCode.PROCESSOR_TIMEOUT,
                "message": "The payment gateway did not answer in time. Nothing was charged.",
            }
        )


def verify_charge(charge: Charge) -> None:
    """Raise PaymentError unless the amount was captured."""
    if charge.state is not ChargeState.CAPTURED:
        raise PaymentError(
            charge.error_code or ErrorCode.PROCESSOR_ERROR,
            charge.message or f"The gateway says that the charge is {charge.state}.",
        )


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class GatewayRefund(BaseModel):
    """The state of a refund at its gateway."""

    model_config = ConfigDict(frozen=True)

    state: RefundState
    reference: Text | None = None
    """The gateway's id of the refund, if it has one."""


class RefundRequest(BaseModel):
    """Refund `amount` of the charge with `charge_key`, only once: `key` is the idempotency key."""

    model_config = ConfigDict(frozen=True)

    key: str
    charge_key: str
    amount: Money
    gateway: Annotated[str, left_out_if(GatewayName.SIMULATOR)] = GatewayName.SIMULATOR
    reference: Annotated[str | None, left_out_if(None)] = None
    """The gateway's id of the charge, if the gateway opens."""

    @property
    def whole_charge(self) -> ChargeIdentity:
        """The charge that is refunded. Only for refunds of the whole amount."""
        return ChargeIdentity(key=self.charge_key, amount=self.amount, reference=self.reference)
