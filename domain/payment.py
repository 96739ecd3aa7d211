"""A payment: its state, and how it changes from the beginning to the end."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.compensation import Compensation
from domain.customer_action import Wait
from domain.errors import RULES, ErrorCode, PaymentError, RecordedCode, RecordedReason
from domain.gateway import Charge
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction, RecordedMethod
from domain.money import Money
from domain.optional import left_out_if


class PaymentStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Announcement(StrEnum):
    """How far the event of the payment's ending is published."""

    NONE = "none"
    """There is no event: the payment has not ended, or its order was never verified.

    Version 0.1.0 recorded no announcements: its successes have NONE and count as published."""
    DUE = "due"
    """The event must be published. No try to publish it is recorded yet."""
    BEGUN = "begun"
    """The event may have reached Kafka. From here on the ending is final."""
    MADE = "made"


UNANNOUNCED = frozenset({Announcement.DUE, Announcement.BEGUN})

TRANSITIONS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = MappingProxyType(
    {
        PaymentStatus.PENDING: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED}),
        PaymentStatus.SUCCEEDED: frozenset({PaymentStatus.FAILED}),
        PaymentStatus.FAILED: frozenset(),
    }
)
"""The allowed changes of status. A success can become a failure only while its announcement is
`due` and it is sure that its event was not sent."""


class Payment(BaseModel):
    """One attempt to pay an order. `processed_at` is set once it has succeeded or failed."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    order_id: UUID
    customer_id: UUID
    reservation_id: UUID | None
    amount: Money
    payment_method: RecordedMethod
    status: PaymentStatus
    error_code: RecordedCode | None = None
    error_message: str | None = None
    failure_reason: RecordedReason | None = None
    created_at: datetime
    processed_at: datetime | None = None
    is_simulated: bool = False
    simulated_response: str | None = None
    transaction_id: str | None = None
    announcement: Announcement = Announcement.NONE
    released_reservation_id: UUID | None = None
    """The reservation whose seats consumers free when they read the event of the failure."""
    may_be_sent: bool = False
    """Whether the event of a success may have been sent although it is still `due`."""
    compensation: Compensation | None = None
    """Set while the payment is being undone. No run may record or publish its success any more."""
    gateway: Annotated[str, left_out_if(GatewayName.SIMULATOR)] = GatewayName.SIMULATOR
    gateway_reference: Annotated[str | None, left_out_if(None)] = None
    """The gateway's id of the attempt, if the gateway opens. It is recorded before anything that
    can move money is sent: without it, nothing was captured."""
    wait: Annotated[Wait | None, left_out_if(None)] = None
    """When the payment began to wait for its customer, and until when it waits. None if it never
    waited."""

    @classmethod
    def pending(cls, instruction: PaymentInstruction) -> Self:
        return cls(
            id=instruction.payment_id,
            order_id=instruction.order_id,
            customer_id=instruction.customer_id,
            reservation_id=instruction.reservation_id,
            amount=instruction.amount,
            payment_method=instruction.payment_method,
            status=PaymentStatus.PENDING,
            created_at=instruction.requested_at,
            gateway=instruction.gateway,
        )

    def charged(self, charge: Charge) -> Self:
        """The same payment, with the gateway's response."""
        return self.model_copy(
            update={
                "is_simulated": charge.is_simulated,
                "simulated_response": charge.simulated_response,
                "transaction_id": charge.transaction_id,
            }
        ).referring(charge.reference)

    def referring(self, reference: str | None) -> Self:
        """The same payment, with the gateway's reference if there is one."""
        return self.model_copy(update={"gateway_reference": reference or self.gateway_reference})

    def waiting(self, wait: Wait | None) -> Self:
        """The same payment with this wait. If `wait` is None, it keeps the one that it has."""
        return self.model_copy(update={"wait": wait or self.wait})

    def succeeded(self, at: datetime, *, may_be_sent: bool = False) -> Self:
        return self.model_copy(
            update={
                "status": PaymentStatus.SUCCEEDED,
                "processed_at": at,
                "announcement": Announcement.DUE,
                "may_be_sent": may_be_sent,
            }
        )

    def compensating(self, error: PaymentError) -> Self:
        """The same payment, about to be undone because of `error`."""
        compensation = Compensation(code=error.code, message=error.message)
        return self.model_copy(update={"compensation": compensation})

    def failed(
        self,
        error: PaymentError,
        at: datetime,
        announcement: Announcement = Announcement.NONE,
        released_reservation_id: UUID | None = None,
    ) -> Self:
        return self.model_copy(
            update={
                "status": PaymentStatus.FAILED,
                "error_code": error.code,
                "error_message": error.message,
                "failure_reason": RULES[error.code].reason,
                "processed_at": at,
                "announcement": announcement,
                "released_reservation_id": released_reservation_id,
                "may_be_sent": False,
                "compensation": None,
            }
        )

    def releasing(self, reservation_id: UUID | None) -> Self:
        """The same failure; its event names this reservation, or none."""
        return self.model_copy(update={"released_reservation_id": reservation_id})

    def announced(self, announcement: Announcement = Announcement.MADE) -> Self:
        return self.model_copy(update={"announcement": announcement, "may_be_sent": False})

    def to_resume(self, asked: PaymentInstruction | None = None) -> PaymentInstruction:
        """The instruction to resume this payment, with the same ids.

        It has the token and the customer's action of `asked`, if that is for the same payment.
        """
        mine = asked if asked is not None and asked.payment_id == self.id else None
        return PaymentInstruction(
            payment_id=self.id,
            order_id=self.order_id,
            customer_id=self.customer_id,
            reservation_id=self.reservation_id,
            amount=self.amount,
            payment_method=self.payment_method,
            requested_at=self.created_at,
            resumed=True,
            gateway=self.gateway,
            token=mine.token if mine else None,
            customer_action=mine.customer_action if mine else None,
        )

    @property
    def error(self) -> PaymentError:
        """The error with which the payment has failed."""
        return PaymentError.recorded(self.error_code or "", self.error_message or "")

    def raise_unless_pending(self) -> None:
        """Raise PaymentError if another run undoes the payment, or has ended it."""
        if self.compensation is not None:
            raise self.compensation.error
        if self.is_final:
            raise self.error

    @property
    def is_final(self) -> bool:
        return self.status is not PaymentStatus.PENDING

    @property
    def is_irrevocable(self) -> bool:
        """False while the payment is pending, or is a success that can still be undone."""
        undoable = self.status is PaymentStatus.SUCCEEDED and self.announcement is Announcement.DUE
        return self.is_final and not undoable

    @property
    def as_shown_to_callers(self) -> Self:
        """The payment that callers see: still pending while its success can be undone."""
        if self.is_irrevocable:
            return self
        return self.model_copy(update={"status": PaymentStatus.PENDING, "processed_at": None})

    def has_succeeded_by(self, attempt: str) -> bool:
        """Whether the payment has succeeded by this attempt. `attempt` is the gateway's id."""
        ids = {self.transaction_id, self.gateway_reference}
        return self.status is PaymentStatus.SUCCEEDED and attempt in ids

    @property
    def is_unannounced(self) -> bool:
        return self.announcement in UNANNOUNCED

    @property
    def has_event(self) -> bool:
        """Whether its ending is published, or will be."""
        return self.announcement is not Announcement.NONE

    @property
    def closes_its_order(self) -> bool:
        """Whether it has failed and has an event. Consumers act on the event."""
        return self.status is PaymentStatus.FAILED and self.has_event

    def refusal_for(self, customer_id: UUID) -> PaymentError:
        """Why this customer cannot pay an order that this failure has closed."""
        if self.customer_id != customer_id:
            return PaymentError(
                ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer."
            )
        return PaymentError(
            ErrorCode.ORDER_NOT_PENDING,
            "A payment of this order has failed, which closes the order. Place a new order.",
        )
