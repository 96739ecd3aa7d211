"""The responses of Ordering and Inventory, and whether they allow a payment to be charged.

The rules are those of the wire contract. The order exists, belongs to the caller, is pending, and
costs what the caller wants to pay. The reservation, if the request names one, belongs to the order
and does not expire while a charge is running.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction

PENDING = "pending"
ACTIVE = "active"
UNSOLD = frozenset({ACTIVE, "expired"})
"""The statuses of a reservation whose seats are certainly not sold."""


class Order(BaseModel):
    """An order as Ordering returns it. A member is None if the response does not have it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    customer_id: str | None
    state: str | None
    total: Decimal
    currency: str | None


class Reservation(BaseModel):
    """A reservation as Inventory returns it. A member is None if the response does not have it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    status: str
    order_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None

    def expires_before(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at < moment

    def may_be_released(self, order_id: UUID) -> bool:
        """Whether its seats may be freed: it belongs to this order and is certainly not sold."""
        return self.order_id == order_id and self.status in UNSOLD


def verify_order(order: Order, instruction: PaymentInstruction) -> None:
    """Raise PaymentError unless this customer may pay this amount for this order now."""
    if order.customer_id != str(instruction.customer_id):
        raise PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer.")
    if order.state is None:
        raise PaymentError(
            ErrorCode.ORDER_NOT_PENDING,
            "Order validation failed: Ordering did not return the state of the order.",
        )
    if order.state != PENDING:
        raise PaymentError(
            ErrorCode.ORDER_NOT_PENDING,
            f"Order validation failed: the order is {order.state}, not {PENDING}.",
        )
    _verify_price(order, instruction)


def _verify_price(order: Order, instruction: PaymentInstruction) -> None:
    price = instruction.amount
    if order.currency not in {None, price.currency}:
        raise PaymentError(
            ErrorCode.CURRENCY_MISMATCH,
            f"Order validation failed: the order is in {order.currency}, not {price.currency}.",
        )
    if order.total != price.amount:
        raise PaymentError(
            ErrorCode.AMOUNT_MISMATCH,
            f"Order validation failed: the order costs {order.total:f}, not {price.amount:f}.",
        )


def verify_reservation(
    reservation: Reservation, instruction: PaymentInstruction, now: datetime, charge_time: timedelta
) -> None:
    """Raise PaymentError(RESERVATION_NOT_ACTIVE) unless the reservation is active and the order's.

    It must not expire within `charge_time` from `now`.
    """
    if reservation.order_id not in {None, instruction.order_id}:
        raise _not_active("it holds another order's seats")
    if reservation.customer_id not in {None, instruction.customer_id}:
        raise _not_active("it is another customer's")
    if reservation.status != ACTIVE:
        raise _not_active(f"it is {reservation.status}")
    if reservation.expires_before(now + charge_time):
        raise _not_active("it expires before a charge could be completed")


def _not_active(why: str) -> PaymentError:
    return PaymentError(
        ErrorCode.RESERVATION_NOT_ACTIVE,
        f"Reservation validation failed: {why}.",
    )
