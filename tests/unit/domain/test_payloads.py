"""What Temporal stores of running payments can be read by later and earlier versions.

A member that is new needs a default; none may be renamed, retyped or removed. Do not change the
payloads below, add to them.
"""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter

from domain.errors import ErrorCode, FailureReason
from domain.events import PaymentEvent, RefundEvent
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest
from domain.instruction import PaymentInstruction, PaymentMethod
from domain.money import Money
from domain.payment import Announcement, Payment, PaymentStatus
from domain.refund import Refund, RefundStatus
from domain.verification import Order, Reservation
from tests.support.builders import NOON

CONVERTER = pydantic_data_converter.payload_converter
P, O, C, R = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "1234")  # noqa: E741
MONEY = {"minor_units": 15000, "currency": "USD"}

INSTRUCTION = PaymentInstruction(
    payment_id=UUID(P),
    order_id=UUID(O),
    customer_id=UUID(C),
    reservation_id=UUID(R),
    amount=Money(minor_units=15000, currency="USD"),
    payment_method=PaymentMethod.DEBIT_CARD,
    requested_at=NOON,
)
PAYMENT = Payment(
    id=UUID(P),
    order_id=UUID(O),
    customer_id=UUID(C),
    reservation_id=UUID(R),
    amount=INSTRUCTION.amount,
    payment_method=PaymentMethod.DEBIT_CARD,
    status=PaymentStatus.FAILED,
    error_code=ErrorCode.CARD_DECLINED,
    error_message="Declined.",
    failure_reason=FailureReason.CARD_DECLINED,
    created_at=NOON,
    processed_at=NOON + timedelta(seconds=1),
    is_simulated=True,
    simulated_response="Failed - CARD_DECLINED: Declined.",
    transaction_id="txn_1",
)
PAYMENT_PAYLOAD = {
    "id": P,
    "order_id": O,
    "customer_id": C,
    "reservation_id": R,
    "amount": MONEY,
    "payment_method": "debit_card",
    "status": "failed",
    "error_code": "CARD_DECLINED",
    "error_message": "Declined.",
    "failure_reason": "card_declined",
    "created_at": "2026-11-23T12:00:00Z",
    "processed_at": "2026-11-23T12:00:01Z",
    "is_simulated": True,
    "simulated_response": "Failed - CARD_DECLINED: Declined.",
    "transaction_id": "txn_1",
}
REFUND = Refund(
    id=UUID(R),
    payment_id=UUID(P),
    order_id=UUID(O),
    customer_id=UUID(C),
    amount=INSTRUCTION.amount,
    status=RefundStatus.FAILED,
    error_code=ErrorCode.REFUND_REFUSED,
    error_message="Refused.",
    created_at=NOON,
    processed_at=NOON,
)
REFUND_PAYLOAD = {
    "id": R,
    "payment_id": P,
    "order_id": O,
    "customer_id": C,
    "amount": MONEY,
    "status": "failed",
    "error_code": "REFUND_REFUSED",
    "error_message": "Refused.",
    "created_at": "2026-11-23T12:00:00Z",
    "processed_at": "2026-11-23T12:00:00Z",
}

PAYLOADS: list[tuple[Any, Any]] = [
    (
        INSTRUCTION,
        {
            "payment_id": P,
            "order_id": O,
            "customer_id": C,
            "reservation_id": R,
            "amount": MONEY,
            "payment_method": "debit_card",
            "requested_at": "2026-11-23T12:00:00Z",
        },
    ),
    (PAYMENT, PAYMENT_PAYLOAD),
    (
        ChargeRequest(
            key="pay_1_charge",
            payment_id=UUID(P),
            order_id=UUID(O),
            amount=INSTRUCTION.amount,
            payment_method="debit_card",
        ),
        {
            "key": "pay_1_charge",
            "payment_id": P,
            "order_id": O,
            "amount": MONEY,
            "payment_method": "debit_card",
        },
    ),
    (
        Charge(
            key="pay_1_charge",
            state=ChargeState.DECLINED,
            transaction_id="txn_1",
            error_code=ErrorCode.CARD_DECLINED,
            message="Declined.",
            is_simulated=True,
            simulated_response="Failed - CARD_DECLINED: Declined.",
        ),
        {
            "key": "pay_1_charge",
            "state": "declined",
            "transaction_id": "txn_1",
            "error_code": "CARD_DECLINED",
            "message": "Declined.",
            "is_simulated": True,
            "simulated_response": "Failed - CARD_DECLINED: Declined.",
        },
    ),
    (
        RefundRequest(key="pay_1_refund", charge_key="pay_1_charge", amount=INSTRUCTION.amount),
        {"key": "pay_1_refund", "charge_key": "pay_1_charge", "amount": MONEY},
    ),
    (
        PaymentEvent(payment=PAYMENT, reservation_id=UUID(R)),
        {"payment": PAYMENT_PAYLOAD, "reservation_id": R},
    ),
    (REFUND, REFUND_PAYLOAD),
    (REFUND.model_copy(update={"is_unsent": True}), {**REFUND_PAYLOAD, "is_unsent": True}),
    (RefundEvent(refund=REFUND), {"refund": REFUND_PAYLOAD}),
    (
        Order(id=UUID(O), customer_id=C, state="pending", total=Decimal("150.00"), currency="USD"),
        {"id": O, "customer_id": C, "state": "pending", "total": "150.00", "currency": "USD"},
    ),
    (
        Reservation(
            id=UUID(R), status="active", order_id=UUID(O), customer_id=UUID(C), expires_at=NOON
        ),
        {
            "id": R,
            "status": "active",
            "order_id": O,
            "customer_id": C,
            "expires_at": "2026-11-23T12:00:00Z",
        },
    ),
    (UUID(O), O),
]
EACH = pytest.mark.parametrize(
    ("value", "payload"), PAYLOADS, ids=[type(value).__name__ for value, _ in PAYLOADS]
)


def decode(payload: Any, kind: type) -> Any:
    [encoded] = CONVERTER.to_payloads([payload])
    return CONVERTER.from_payloads([encoded], [kind])[0]


def test_money_is_written_as_ever() -> None:
    """The fingerprints of idempotency keys depend on it."""
    [encoded] = CONVERTER.to_payloads([INSTRUCTION.amount])

    assert encoded.data == b'{"minor_units":15000,"currency":"USD"}'


def test_what_another_version_recorded_is_carried_as_it_is() -> None:
    odd = {
        "amount": {"minor_units": 15000, "currency": "ZZQ", "exponent": 3},
        "payment_method": "bnpl",
        "error_code": "FRAUD_SUSPECTED",
        "failure_reason": "fraud",
    }
    payment = decode({**PAYMENT_PAYLOAD, **odd}, Payment)
    [encoded] = CONVERTER.to_payloads([payment])

    assert includes(json.loads(encoded.data), odd)
    assert (str(payment.amount), payment.error_code) == ("15.000 ZZQ", "FRAUD_SUSPECTED")
    assert decode(PAYMENT_PAYLOAD, Payment).error_code is ErrorCode.CARD_DECLINED


def test_a_currency_without_known_decimal_places_is_no_money() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        decode({"minor_units": 15000, "currency": "ZZQ"}, Money)


def includes(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return all(name in whole and includes(whole[name], each) for name, each in part.items())
    return bool(whole == part)


@EACH
def test_what_is_written_can_be_read_by_earlier_versions(value: Any, payload: Any) -> None:
    [encoded] = CONVERTER.to_payloads([value])

    assert encoded.metadata == {"encoding": b"json/plain"}
    assert includes(json.loads(encoded.data), payload)


@EACH
def test_what_earlier_versions_wrote_is_read(value: Any, payload: Any) -> None:
    assert decode(payload, type(value)) == value


@pytest.mark.parametrize(
    ("value", "payload"), PAYLOADS[:-1], ids=[type(value).__name__ for value, _ in PAYLOADS[:-1]]
)
def test_what_later_versions_add_is_ignored(value: Any, payload: Any) -> None:
    assert decode({**payload, "added_later": 1}, type(value)) == value


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Charge, {"key": "pay_1_charge", "state": "voided"}),
        (Reservation, {"id": R, "status": "active"}),
        (
            Payment,
            {
                "id": P,
                "order_id": O,
                "customer_id": C,
                "reservation_id": None,
                "amount": MONEY,
                "payment_method": "wallet",
                "status": "pending",
                "created_at": "2026-11-23T12:00:00Z",
            },
        ),
    ],
)
def test_members_with_defaults_may_be_absent(kind: type, payload: Any) -> None:
    assert decode(payload, kind).model_dump(mode="json", exclude_unset=True) == payload


def test_text_that_an_earlier_version_kept_can_be_recorded() -> None:
    """Otherwise a payment with a control character in a text could never end."""
    texts = {"message": "Declined\x00", "transaction_id": "txn\x00" + "1" * 500}

    charge = decode({"key": "pay_1_charge", "state": "declined", **texts}, Charge)

    assert (charge.message, charge.transaction_id) == ("Declined", "txn" + "1" * 252)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (PaymentStatus, "pending succeeded failed"),
        (PaymentMethod, "credit_card debit_card wallet bank_transfer"),
        (ChargeState, "open waiting authorized captured declined voided refunded"),
        (Announcement, "none due begun made"),
    ],
)
def test_words_are_kept_for_ever(kind: Any, words: str) -> None:
    assert {each.value for each in kind} == set(words.split())
