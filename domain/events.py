"""What the world is told of payments and refunds, exactly as its consumers read it."""

from abc import abstractmethod
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain import names
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund

_TOPICS = {
    PaymentStatus.SUCCEEDED: names.TOPIC_SUCCEEDED,
    PaymentStatus.FAILED: names.TOPIC_FAILED,
}


class Event(BaseModel):
    """A fact about one subject: the same id and the same bytes however often it is published."""

    model_config = ConfigDict(frozen=True)

    @property
    @abstractmethod
    def subject(self) -> UUID:
        """What the event is about: a payment or a refund."""

    @property
    @abstractmethod
    def topic(self) -> str: ...

    @property
    @abstractmethod
    def key(self) -> str:
        """The partition key: one order's events stay in order."""

    @property
    @abstractmethod
    def value(self) -> dict[str, Any]:
        """The members of the body; absent ones are left out, for consumers refuse null."""

    @property
    def id(self) -> UUID:
        return names.event_id(self.subject, self.topic)


class PaymentEvent(Event):
    """How a payment has ended."""

    payment: Payment
    reservation_id: UUID | None
    """The reservation that consumers confirm on success, or whose seats they free on failure."""

    @classmethod
    def of(cls, payment: Payment) -> Self:
        succeeded = payment.status is PaymentStatus.SUCCEEDED
        told = payment.reservation_id if succeeded else payment.released_reservation_id
        return cls(payment=payment, reservation_id=told)

    @property
    def subject(self) -> UUID:
        return self.payment.id

    @property
    def topic(self) -> str:
        return _TOPICS[self.payment.status]

    @property
    def key(self) -> str:
        return str(self.payment.order_id)

    @property
    def value(self) -> dict[str, Any]:
        members = {**self._common_members(), **self._own_members()}
        return {name: value for name, value in members.items() if value is not None}

    def _common_members(self) -> dict[str, Any]:
        payment = self.payment
        return {
            "paymentId": payment.id,
            "orderId": payment.order_id,
            "customerId": payment.customer_id,
            "reservationId": self.reservation_id,
            "amount": payment.amount.amount,
            "currency": payment.amount.currency,
            "paymentMethod": payment.payment_method,
            "status": payment.status,
        }

    def _own_members(self) -> dict[str, Any]:
        payment = self.payment
        if payment.status is PaymentStatus.SUCCEEDED:
            return {"transactionId": payment.transaction_id, "processedAt": payment.processed_at}
        return {
            "failureReason": payment.failure_reason,
            "errorCode": payment.error_code,
            "errorMessage": payment.error_message,
            "attemptedAt": payment.processed_at,
        }


class RefundEvent(Event):
    """That money was given back which a payment had kept."""

    refund: Refund

    @property
    def subject(self) -> UUID:
        return self.refund.id

    @property
    def topic(self) -> str:
        return names.TOPIC_REFUNDED

    @property
    def key(self) -> str:
        return str(self.refund.order_id)

    @property
    def value(self) -> dict[str, Any]:
        refund = self.refund
        return {
            "refundId": refund.id,
            "paymentId": refund.payment_id,
            "orderId": refund.order_id,
            "customerId": refund.customer_id,
            "amount": refund.amount.amount,
            "currency": refund.amount.currency,
            "refundedAt": refund.processed_at,
        }
