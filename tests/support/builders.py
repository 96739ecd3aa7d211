"""Builds valid values for tests. A test passes the members that it wants to differ."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction, PaymentMethod
from domain.money import Money
from domain.payment import Payment
from domain.refund import Refund
from domain.verification import ACTIVE, PENDING, Order, Reservation

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DECLINED = PaymentError(ErrorCode.CARD_DECLINED, "The card was declined.")
UNKNOWN_MONEY = Money(minor_units=150_000, currency="ZZQ", exponent=3)
"""An amount that can be recorded, in a currency that ISO 4217 does not have."""


def an_instruction(**changes: Any) -> PaymentInstruction:
    return PaymentInstruction(
        **{
            "payment_id": uuid4(),
            "order_id": uuid4(),
            "customer_id": uuid4(),
            "reservation_id": None,
            "amount": Money.parse("150.00", "USD"),
            "payment_method": PaymentMethod.CREDIT_CARD,
            "requested_at": NOON,
            **changes,
        }
    )


def a_payment(**changes: Any) -> Payment:
    return Payment.pending(an_instruction()).model_copy(update=changes)


def a_refund(payment: Payment, amount: str = "50.00", key: str = "key", **changes: Any) -> Refund:
    """A pending refund of the payment, whose success is irrevocable."""
    money = payment.amount.parse_same(amount)
    return Refund.pending(payment, money, key, NOON).model_copy(update=changes)


def an_order(instruction: PaymentInstruction, **changes: Any) -> Order:
    """The pending order that the instruction pays."""
    return Order(
        **{
            "id": instruction.order_id,
            "customer_id": str(instruction.customer_id),
            "state": PENDING,
            "total": instruction.amount.amount,
            "currency": instruction.amount.currency,
            **changes,
        }
    )


def a_reservation(instruction: PaymentInstruction, **changes: Any) -> Reservation:
    """An active reservation of the instruction's order, without an expiry time."""
    return Reservation(
        **{
            "id": instruction.reservation_id,
            "status": ACTIVE,
            "order_id": instruction.order_id,
            "customer_id": instruction.customer_id,
            "expires_at": None,
            **changes,
        }
    )
