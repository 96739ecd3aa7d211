"""What Ordering and Inventory say, and whether a payment may be charged on the strength of it.

The rules are those of the wire contract: the order exists, is the caller's own, is pending and
costs what the caller wants to pay; the reservation, if one is named, is the order's and still
holds for as long as a charge may take.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from domain.errors import ErrorCode, PaymentError
from domain.payment import PaymentInstruction

PENDING = "pending"
ACTIVE = "active"
UNSOLD = frozenset({ACTIVE, "expired"})
"""What a hold is whose seat was not sold; any other status says nothing of that."""


class Order(BaseModel):
    """An order as Ordering tells it; `state` or `currency` is None where it does not say."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    customer_id: str | None
    state: str | None
    total: Decimal
    currency: str | None


class Reservation(BaseModel):
    """A hold on seats as Inventory tells it; None where it does not say."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    status: str
    order_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None

    def lapses_before(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at < moment

    def may_be_released(self, order_id: UUID) -> bool:
        """True only for a hold seen to be this order's own and not sold: its seat may be freed."""
        return self.order_id == order_id and self.status in UNSOLD


def verify_order(order: Order, instruction: PaymentInstruction) -> None:
    """Raise PaymentError unless this customer may pay this amount for this order now."""
    if order.customer_id != str(instruction.customer_id):
        raise PaymentError(ErrorCode.CUSTOMER_MISMATCH, "The order belongs to another customer.")
    if order.state is None:
        raise PaymentError(
            ErrorCode.ORDER_NOT_PENDING,
            "Order validation failed: Ordering did not say in what state the order is.",
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
    """Raise PaymentError unless the hold is this order's and outlives a charge begun `now`."""
    if reservation.order_id not in {None, instruction.order_id}:
        raise _not_active("it holds another order's seats")
    if reservation.customer_id not in {None, instruction.customer_id}:
        raise _not_active("it is another customer's")
    if reservation.status != ACTIVE:
        raise _not_active(f"it is {reservation.status}")
    if reservation.lapses_before(now + charge_time):
        raise _not_active("it lapses before a charge could be completed")


def _not_active(why: str) -> PaymentError:
    return PaymentError(
        ErrorCode.RESERVATION_NOT_ACTIVE,
        f"Reservation validation failed: {why}.",
    )
