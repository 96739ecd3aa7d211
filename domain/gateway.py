"""Requests to a payment gateway, and its responses."""

from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.errors import ErrorCode, PaymentError
from domain.money import Money
from domain.text import Text


class ChargeState(StrEnum):
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


class ChargeRequest(BaseModel):
    """Capture `amount`, only once even if this is sent again: `key` is the idempotency key."""

    model_config = ConfigDict(frozen=True)

    key: str
    payment_id: UUID
    order_id: UUID
    amount: Money
    payment_method: str


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
    tries: int = 1
    """How many tries this answer took."""

    def explained_by(self, error: PaymentError) -> Self:
        """The same charge; if it is voided, with the reason that follows from `error`.

        After `error`, the outcome of the charge was unknown.
        """
        if self.state is not ChargeState.VOIDED:
            return self
        if error.code is not ErrorCode.GATEWAY_UNAVAILABLE:
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


class RefundRequest(BaseModel):
    """Refund `amount` of the charge with `charge_key`, only once: `key` is the idempotency key."""

    model_config = ConfigDict(frozen=True)

    key: str
    charge_key: str
    amount: Money
