"""What the saga and a payment gateway say to each other."""

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
    """Take `amount` once, however often this is sent: `key` is the gateway's idempotency key."""

    model_config = ConfigDict(frozen=True)

    key: str
    payment_id: UUID
    order_id: UUID
    amount: Money
    payment_method: str


class Charge(BaseModel):
    """The gateway's definite answer about one key. An unknown outcome is never a charge."""

    model_config = ConfigDict(frozen=True)

    key: str
    state: ChargeState
    transaction_id: Text | None = None
    error_code: ErrorCode | None = None
    message: Text | None = None
    is_simulated: bool = False
    simulated_response: Text | None = None
    tries: int = 1
    """How many tries it took to get this answer."""

    def explained_by(self, error: PaymentError) -> Self:
        """The same charge; if voided, then because of `error`, which had left its outcome open."""
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
    """Raise PaymentError unless the money was taken."""
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
    """Give back `amount` of what was taken under `charge_key`, once: `key` is idempotent."""

    model_config = ConfigDict(frozen=True)

    key: str
    charge_key: str
    amount: Money
