"""A payment, from the instruction a caller gives to the state in which it ends."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import RULES, ErrorCode, PaymentError, RecordedCode, RecordedReason
from domain.gateway import Charge, ChargeRequest
from domain.money import Money
from domain.names import charge_key


class PaymentMethod(StrEnum):
    CREDIT_CARD = "credit_card"
    DEBIT_CARD = "debit_card"
    WALLET = "wallet"
    BANK_TRANSFER = "bank_transfer"


RecordedMethod = Annotated[PaymentMethod | str, Field(union_mode="left_to_right")]
"""A recorded method. If only another version of this service knows it, it is read as text."""


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


RESERVATION_WAIT_SECONDS = 300
"""Long enough for a restart of Inventory, short enough for a caller. Chosen, not measured."""


class PaymentInstruction(BaseModel):
    """What the caller asked for. It is complete, with the payment's id, before anything happens."""

    model_config = ConfigDict(frozen=True)

    payment_id: UUID
    order_id: UUID
    customer_id: UUID
    reservation_id: UUID | None
    amount: Money
    payment_method: RecordedMethod
    requested_at: datetime
    resumed: bool = False
    """Whether an earlier run was lost. It may have charged: this run keeps, refunds or voids that
    charge before it ends."""
    reservation_wait_seconds: int = RESERVATION_WAIT_SECONDS
    """How long Inventory is tried again while it does not respond; then the payment fails."""

    @property
    def reservation_wait(self) -> timedelta:
        return timedelta(seconds=self.reservation_wait_seconds)

    @property
    def charge_request(self) -> ChargeRequest:
        return ChargeRequest(
            key=charge_key(self.payment_id),
            payment_id=self.payment_id,
            order_id=self.order_id,
            amount=self.amount,
            payment_method=self.payment_method,
        )

    @property
    def fingerprint(self) -> str:
        """A hash of what the caller asked for, without the time and the payment's id."""
        asked = self.model_dump_json(exclude=_NOT_ASKED_FOR)
        return sha256(asked.encode()).hexdigest()


_NOT_ASKED_FOR = {"payment_id", "requested_at", "resumed", "reservation_wait_seconds"}
"""Members of an instruction that say nothing about what the caller wants to pay."""


class Compensation(BaseModel):
    """Why a payment is undone. It is recorded before anything is refunded."""

    model_config = ConfigDict(frozen=True)

    code: RecordedCode
    message: str

    @property
    def error(self) -> PaymentError:
        return PaymentError.recorded(self.code, self.message)


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
        )

    def charged(self, charge: Charge) -> Self:
        """The same payment, with the gateway's response."""
        return self.model_copy(
            update={
                "is_simulated": charge.is_simulated,
                "simulated_response": charge.simulated_response,
                "transaction_id": charge.transaction_id,
            }
        )

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

    def to_resume(self) -> PaymentInstruction:
        """The instruction to resume this payment, with the same ids."""
        return PaymentInstruction(
            payment_id=self.id,
            order_id=self.order_id,
            customer_id=self.customer_id,
            reservation_id=self.reservation_id,
            amount=self.amount,
            payment_method=self.payment_method,
            requested_at=self.created_at,
            resumed=True,
        )

    @property
    def error(self) -> PaymentError:
        """The error with which the payment has failed."""
        return PaymentError.recorded(self.error_code or "", self.error_message or "")

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


class Claim(Payment):
    """The payment that holds an order, as it is recorded."""

    is_new: bool | None = None
    """False if the row existed before: an earlier run or try may have gone on and charged.

    None in a response of a worker of version 0.1.0."""

    @classmethod
    def of(cls, payment: Payment, *, is_new: bool) -> Self:
        return cls(**dict(payment), is_new=is_new)

    @property
    def payment(self) -> Payment:
        return Payment(**{name: getattr(self, name) for name in Payment.model_fields})
