"""A refund that a caller asked for: part or all of a payment that has succeeded."""

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain import names
from domain.errors import ErrorCode, PaymentError, RecordedCode
from domain.gateway import RefundRequest
from domain.money import Money
from domain.payment import Payment, PaymentStatus


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(BaseModel):
    """A refund. Its id is derived from the payment and the caller's idempotency key.

    So a repeated request is the same refund.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    payment_id: UUID
    order_id: UUID
    customer_id: UUID
    amount: Money
    status: RefundStatus
    error_code: RecordedCode | None = None
    error_message: str | None = None
    created_at: datetime
    processed_at: datetime | None = None
    is_announced: bool = False
    """Whether its event is published."""
    is_unsent: bool = False
    """True if the gateway has certainly received no request for it so far. This is not recorded: a
    refund that is read from the database may have been sent."""

    @classmethod
    def pending(cls, payment: Payment, amount: Money, key: str, at: datetime) -> Self:
        """A new refund.

        Raises PaymentError(PAYMENT_NOT_REFUNDABLE) unless the payment's success is irrevocable.
        """
        if payment.as_shown_to_callers.status is not PaymentStatus.SUCCEEDED:
            raise PaymentError(
                ErrorCode.PAYMENT_NOT_REFUNDABLE,
                "Only a payment that has succeeded can be refunded.",
            )
        return cls(
            id=names.refund_id(payment.id, key),
            payment_id=payment.id,
            order_id=payment.order_id,
            customer_id=payment.customer_id,
            amount=amount,
            status=RefundStatus.PENDING,
            created_at=at,
            is_unsent=True,
        )

    def succeeded(self, at: datetime) -> Self:
        return self.model_copy(update={"status": RefundStatus.SUCCEEDED, "processed_at": at})

    def failed(self, error: PaymentError, at: datetime) -> Self:
        return self.model_copy(
            update={
                "status": RefundStatus.FAILED,
                "error_code": error.code,
                "error_message": error.message,
                "processed_at": at,
            }
        )

    def announced(self) -> Self:
        return self.model_copy(update={"is_announced": True})

    @property
    def request(self) -> RefundRequest:
        return RefundRequest(
            key=names.requested_refund_key(self.payment_id, self.id),
            charge_key=names.charge_key(self.payment_id),
            amount=self.amount,
        )

    @property
    def is_final(self) -> bool:
        return self.status is not RefundStatus.PENDING
