"""The events of payments and refunds, exactly as consumers read them."""

from abc import abstractmethod
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from domain import names
from domain.errors import RecordedCode, RecordedReason
from domain.instruction import RecordedMethod
from domain.money import RecordedCurrency
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund

Amount = Annotated[Decimal, WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]

Absent = SkipJsonSchema[None]
"""A member that may be left out, and is never null."""

_TOPICS = {
    PaymentStatus.SUCCEEDED: names.TOPIC_SUCCEEDED,
    PaymentStatus.FAILED: names.TOPIC_FAILED,
}


def _without_defaults(schema: dict[str, Any]) -> None:
    """Remove the defaults from the JSON schema: an absent member is absent, not null."""
    for member in schema["properties"].values():
        member.pop("default", None)


class EventBody(BaseModel):
    """The value of a Kafka record.

    The order of its members never changes, because all copies of an event have the same bytes.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        frozen=True,
        json_schema_extra=_without_defaults,
    )


class PaymentEnded(EventBody):
    payment_id: UUID
    order_id: UUID
    customer_id: UUID
    reservation_id: UUID | Absent = None
    amount: Amount
    currency: RecordedCurrency
    payment_method: RecordedMethod
    status: PaymentStatus


class PaymentSucceeded(PaymentEnded):
    """A payment has succeeded. Consumers confirm the reservation, if the event names one."""

    status: Literal[PaymentStatus.SUCCEEDED]
    transaction_id: str | Absent = None
    processed_at: datetime


class PaymentFailed(PaymentEnded):
    """A payment has failed. Consumers cancel the order, and release the reservation, if named."""

    status: Literal[PaymentStatus.FAILED]
    failure_reason: RecordedReason
    error_code: RecordedCode
    error_message: str
    attempted_at: datetime


class PaymentRefunded(EventBody):
    """Money of a succeeded payment was refunded. The payment's status does not change."""

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    customer_id: UUID
    amount: Amount
    currency: RecordedCurrency
    refunded_at: datetime


class Event(BaseModel):
    """An event about one payment or refund. All published copies have the same id and bytes."""

    model_config = ConfigDict(frozen=True)

    @property
    @abstractmethod
    def subject(self) -> UUID:
        """The id of the payment or the refund that the event is about."""

    @property
    @abstractmethod
    def topic(self) -> str: ...

    @property
    @abstractmethod
    def key(self) -> str:
        """The partition key: one order's events stay in order."""

    @property
    @abstractmethod
    def body(self) -> EventBody: ...

    @property
    def value(self) -> dict[str, Any]:
        """The members of the body. Absent ones are left out, because consumers refuse null."""
        return self.body.model_dump(by_alias=True, exclude_none=True)

    @property
    def id(self) -> UUID:
        return names.event_id(self.subject, self.topic)


class PaymentEvent(Event):
    """The event of a payment that has ended."""

    payment: Payment
    reservation_id: UUID | None
    """The reservation that consumers confirm on success, or whose seats they free on failure."""

    @classmethod
    def of(cls, payment: Payment) -> Self:
        succeeded = payment.status is PaymentStatus.SUCCEEDED
        reservation_id = payment.reservation_id if succeeded else payment.released_reservation_id
        return cls(payment=payment, reservation_id=reservation_id)

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
    def body(self) -> PaymentSucceeded | PaymentFailed:
        payment = self.payment
        members = {
            **payment.model_dump(exclude={"reservation_id"}),
            "payment_id": payment.id,
            "reservation_id": self.reservation_id,
            "amount": payment.amount.amount,
            "currency": payment.amount.currency,
        }
        if payment.status is PaymentStatus.SUCCEEDED:
            return PaymentSucceeded(**members)
        return PaymentFailed(**members, attempted_at=payment.processed_at)


class RefundEvent(Event):
    """The event of a refund that has succeeded."""

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
    def body(self) -> PaymentRefunded:
        refund = self.refund
        return PaymentRefunded(
            refund_id=refund.id,
            payment_id=refund.payment_id,
            order_id=refund.order_id,
            customer_id=refund.customer_id,
            amount=refund.amount.amount,
            currency=refund.amount.currency,
            refunded_at=refund.processed_at,
        )
