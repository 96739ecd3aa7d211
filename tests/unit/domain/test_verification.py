"""Whether a payment may be charged, given its order and its reservation."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.verification import verify_order, verify_reservation
from tests.support.builders import NOON, a_reservation, an_instruction, an_order

STRANGER = "00000000-0000-0000-0000-000000000001"
INSTRUCTION = an_instruction(reservation_id=uuid4())
CHARGE_TIME = timedelta(seconds=20)
LAST_MOMENT = NOON + CHARGE_TIME


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"currency": None},
        {"total": Decimal(150)},
        {"total": Decimal("150.0000")},
        {"total": Decimal("1.5E+2")},
    ],
    ids=str,
)
def test_an_order_that_fits_the_instruction_passes(changes: dict[str, Any]) -> None:
    verify_order(an_order(INSTRUCTION, **changes), INSTRUCTION)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"customer_id": STRANGER}, ErrorCode.CUSTOMER_MISMATCH),
        ({"customer_id": None}, ErrorCode.CUSTOMER_MISMATCH),
        ({"customer_id": ""}, ErrorCode.CUSTOMER_MISMATCH),
        ({"customer_id": "someone@example.com"}, ErrorCode.CUSTOMER_MISMATCH),
        ({"state": None}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": ""}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": "draft"}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": "paid"}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": "fulfilled"}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": "cancelled"}, ErrorCode.ORDER_NOT_PENDING),
        ({"state": "PENDING"}, ErrorCode.ORDER_NOT_PENDING),
        ({"currency": "EUR"}, ErrorCode.CURRENCY_MISMATCH),
        ({"currency": ""}, ErrorCode.CURRENCY_MISMATCH),
        ({"total": Decimal("150.01")}, ErrorCode.AMOUNT_MISMATCH),
        ({"total": Decimal("150.0000000000000000000000000001")}, ErrorCode.AMOUNT_MISMATCH),
        ({"total": Decimal(15000)}, ErrorCode.AMOUNT_MISMATCH),
        ({"total": Decimal(-150)}, ErrorCode.AMOUNT_MISMATCH),
        ({"total": Decimal(0)}, ErrorCode.AMOUNT_MISMATCH),
    ],
    ids=str,
)
def test_an_order_that_does_not_fit_is_refused_with_its_code(
    changes: dict[str, Any], code: ErrorCode
) -> None:
    with pytest.raises(PaymentError) as caught:
        verify_order(an_order(INSTRUCTION, **changes), INSTRUCTION)
    assert caught.value.code is code


def test_a_strangers_order_is_not_described() -> None:
    order = an_order(INSTRUCTION, customer_id=None, state="paid", currency="EUR")

    with pytest.raises(PaymentError, match=r"^The order belongs to another customer\.$"):
        verify_order(order, INSTRUCTION)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": None}, "did not return the state of the order"),
        ({"state": "paid"}, "the order is paid, not pending"),
        ({"currency": "EUR"}, "the order is in EUR, not USD"),
        ({"total": Decimal("99.90")}, "the order costs 99.90, not 150.00"),
    ],
    ids=str,
)
def test_a_refusal_says_what_is_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PaymentError, match=message):
        verify_order(an_order(INSTRUCTION, **changes), INSTRUCTION)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"order_id": None},
        {"customer_id": None},
        {"expires_at": LAST_MOMENT},
        {"expires_at": NOON + timedelta(days=1)},
    ],
    ids=str,
)
def test_a_reservation_that_fits_the_instruction_passes(changes: dict[str, Any]) -> None:
    verify_reservation(a_reservation(INSTRUCTION, **changes), INSTRUCTION, NOON, CHARGE_TIME)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order_id": UUID(STRANGER)}, "it holds another order's seats"),
        ({"customer_id": UUID(STRANGER)}, "it is another customer's"),
        ({"status": "expired"}, "it is expired"),
        ({"status": "confirmed"}, "it is confirmed"),
        ({"status": "ACTIVE"}, "it is ACTIVE"),
        ({"status": ""}, "it is "),
        ({"expires_at": LAST_MOMENT - timedelta(microseconds=1)}, "it expires before"),
        ({"expires_at": NOON - timedelta(days=1)}, "it expires before"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_reservation_that_does_not_fit_is_refused_with_its_reason(
    changes: dict[str, Any], message: str
) -> None:
    reservation = a_reservation(INSTRUCTION, **changes)

    with pytest.raises(PaymentError, match=message) as caught:
        verify_reservation(reservation, INSTRUCTION, NOON, CHARGE_TIME)
    assert caught.value.code is ErrorCode.RESERVATION_NOT_ACTIVE


@pytest.mark.parametrize(
    ("expires_at", "lapses"),
    [
        (None, False),
        (NOON, False),
        (NOON + timedelta(seconds=1), False),
        (NOON - timedelta(seconds=1), True),
    ],
    ids=str,
)
def test_a_hold_without_an_end_never_lapses(expires_at: datetime | None, lapses: bool) -> None:
    assert a_reservation(INSTRUCTION, expires_at=expires_at).expires_before(NOON) is lapses


@pytest.mark.parametrize(
    ("order_id", "status", "released"),
    [
        (INSTRUCTION.order_id, "active", True),
        (INSTRUCTION.order_id, "expired", True),
        (INSTRUCTION.order_id, "confirmed", False),
        (INSTRUCTION.order_id, "sold", False),
        (UUID(STRANGER), "active", False),
        (UUID(STRANGER), "confirmed", False),
        (None, "active", False),
        (None, "confirmed", False),
    ],
    ids=[
        "own",
        "own-expired",
        "own-sold",
        "own-odd",
        "strange",
        "strange-sold",
        "unknown",
        "unknown-sold",
    ],
)
def test_only_an_own_unsold_seat_may_be_freed(
    order_id: UUID | None, status: str, released: bool
) -> None:
    reservation = a_reservation(INSTRUCTION, order_id=order_id, status=status)

    assert reservation.may_be_released(INSTRUCTION.order_id) is released
