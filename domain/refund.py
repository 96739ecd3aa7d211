"""A refund that a caller asked for: part or all of a payment that has succeeded."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain import names
from domain.errors import ErrorCode, PaymentError, RecordedCode
from domain.gateway import RefundRequest
from domain.gateways import TERMS, GatewayName, GatewayTerms
from domain.money import Money
from domain.optional import left_out_if
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
    gateway: Annotated[str, left_out_if(GatewayName.SIMULATOR)] = GatewayName.SIMULATOR
    """The gateway of its payment."""
    charge_reference: Annotated[str | None, left_out_if(None)] = None
    """The gateway's id of the charge, if the gateway opens."""
    gateway_reference: Annotated[str | None, left_out_if(None)] = None
    """The gateway's id of the refund, if it has one."""
    failed_later_at: Annotated[datetime | None, left_out_if(None)] = None
    """When we learned that the gateway could not make this refund, although it had succeeded."""

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
            gateway=payment.gateway,
            charge_reference=payment.gateway_reference,
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

    def referring(self, reference: str | None) -> Self:
        """The same refund, with the gateway's id of it if there is one."""
        return self.model_copy(update={"gateway_reference": reference or self.gateway_reference})

    def failed_later(self, at: datetime) -> Self:
        """The same successful refund, whose money the customer's bank has sent back."""
        return self.model_copy(update={"failed_later_at": at})

    @property
    def is_made(self) -> bool:
        """Whether the customer has the money: it has succeeded and has not failed later."""
        return self.status is RefundStatus.SUCCEEDED and self.failed_later_at is None

    @property
    def may_fail_later(self) -> bool:
        """Whether it has succeeded, and may still fail at its gateway."""
        return self.is_made and self.terms.opens

    def announced(self) -> Self:
        return self.model_copy(update={"is_announced": True})

    @property
    def request(self) -> RefundRequest:
        return RefundRequest(
            key=names.requested_refund_key(self.payment_id, self.id),
            charge_key=names.charge_key(self.payment_id),
            amount=self.amount,
            gateway=self.gateway,
            reference=self.charge_reference,
        )

    @property
    def terms(self) -> GatewayTerms:
        return TERMS[self.gateway]

    @property
    def is_pending_at_gateway(self) -> bool:
        """Whether the gateway has the refund and has not made it yet, which may take days."""
        return self.status is RefundStatus.PENDING and self.gateway_reference is not None

    @property
    def is_final(self) -> bool:
        return self.status is not RefundStatus.PENDING
