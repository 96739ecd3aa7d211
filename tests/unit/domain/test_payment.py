"""A payment: its fingerprint, its transitions, and how the result of a charge ends it."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.errors import ErrorCode, FailureReason, PaymentError
from domain.gateway import Charge, ChargeState, verify_charge
from domain.gateways import GatewayName
from domain.instruction import PaymentMethod
from domain.money import Money
from domain.payment import TRANSITIONS, Payment, PaymentStatus
from tests.support.builders import NOON, a_payment, an_instruction

INSTRUCTION = an_instruction(
    payment_id=UUID(int=1),
    order_id=UUID(int=2),
    customer_id=UUID(int=3),
    reservation_id=UUID(int=4),
)
UNKNOWN = PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "No response in time.")
REFUSED = PaymentError(ErrorCode.PROCESSOR_ERROR, "Refused.")


def test_a_fingerprint_is_kept_while_payments_run() -> None:
    assert INSTRUCTION.fingerprint == (
        "95dbe963526d43583266d125128c5f6133dc32237ea97c8443a3ead78f696ea0"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_id": uuid4()},
        {"requested_at": NOON + timedelta(hours=1)},
        {"resumed": True},
        {"gateway": GatewayName.STRIPE},
        {"token": "pm_1"},
    ],
)
def test_the_same_request_has_the_same_fingerprint(changes: dict[str, Any]) -> None:
    assert INSTRUCTION.model_copy(update=changes).fingerprint == INSTRUCTION.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": uuid4()},
        {"customer_id": uuid4()},
        {"reservation_id": uuid4()},
        {"reservation_id": None},
        {"amount": Money.parse("150.01", "USD")},
        {"amount": Money.parse("150.00", "EUR")},
        {"payment_method": PaymentMethod.WALLET},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_request_has_another_fingerprint(changes: dict[str, Any]) -> None:
    assert INSTRUCTION.model_copy(update=changes).fingerprint != INSTRUCTION.fingerprint


def test_a_payment_moves_only_forward() -> None:
    allowed = {before: set(after) for before, after in TRANSITIONS.items()}

    assert allowed == {
        PaymentStatus.PENDING: {PaymentStatus.SUCCEEDED, PaymentStatus.FAILED},
        PaymentStatus.SUCCEEDED: {PaymentStatus.FAILED},
        PaymentStatus.FAILED: set(),
    }


def test_a_payment_is_resumed_with_all_that_was_asked() -> None:
    resumed = INSTRUCTION.model_copy(update={"resumed": True})

    assert Payment.pending(INSTRUCTION).to_resume() == resumed


def test_a_token_stays_with_its_payment() -> None:
    """It is not recorded. The same request may bring it again."""
    asked = INSTRUCTION.model_copy(update={"gateway": GatewayName.STRIPE, "token": "pm_1"})
    recorded = Payment.pending(asked)
    other = asked.model_copy(update={"payment_id": uuid4()})

    assert recorded.to_resume(asked) == asked.model_copy(update={"resumed": True})
    assert recorded.to_resume(other).token is recorded.to_resume().token is None
    assert recorded.to_resume().gateway == GatewayName.STRIPE


def test_a_payment_starts_pending_with_all_that_was_asked() -> None:
    payment = Payment.pending(INSTRUCTION)

    assert payment == Payment(
        id=UUID(int=1),
        order_id=UUID(int=2),
        customer_id=UUID(int=3),
        reservation_id=UUID(int=4),
        amount=INSTRUCTION.amount,
        payment_method=PaymentMethod.CREDIT_CARD,
        status=PaymentStatus.PENDING,
        created_at=NOON,
    )
    assert not payment.is_final


def test_a_success_keeps_what_the_gateway_said() -> None:
    charge = Charge(
        key="key",
        state=ChargeState.CAPTURED,
        transaction_id="txn_1",
        is_simulated=True,
        simulated_response="Success - TransactionId: txn_1",
    )

    payment = a_payment().charged(charge).succeeded(at=NOON)

    assert (payment.status, payment.processed_at) == (PaymentStatus.SUCCEEDED, NOON)
    assert (payment.transaction_id, payment.is_simulated) == ("txn_1", True)
    assert payment.simulated_response == "Success - TransactionId: txn_1"
    assert payment.is_final


def test_a_failure_says_why() -> None:
    error = PaymentError(ErrorCode.INSUFFICIENT_FUNDS, "Not enough.")

    payment = a_payment().failed(error, at=NOON)

    assert (payment.status, payment.processed_at) == (PaymentStatus.FAILED, NOON)
    assert (payment.error_code, payment.error_message) == (error.code, "Not enough.")
    assert payment.failure_reason is FailureReason.INSUFFICIENT_FUNDS
    assert payment.is_final


def test_only_a_capture_is_money_taken() -> None:
    verify_charge(Charge(key="key", state=ChargeState.CAPTURED))


@pytest.mark.parametrize("state", [ChargeState.DECLINED, ChargeState.VOIDED, ChargeState.REFUNDED])
def test_any_other_charge_is_a_failure(state: ChargeState) -> None:
    with pytest.raises(PaymentError, match=state) as caught:
        verify_charge(Charge(key="key", state=state))
    assert caught.value.code is ErrorCode.PROCESSOR_ERROR


def test_a_decline_fails_with_its_own_code() -> None:
    charge = Charge(
        key="key", state=ChargeState.DECLINED, error_code=ErrorCode.INVALID_CARD, message="No card."
    )

    with pytest.raises(PaymentError, match=r"No card\.") as caught:
        verify_charge(charge)
    assert caught.value.code is ErrorCode.INVALID_CARD


@pytest.mark.parametrize(
    ("error", "code"),
    [(UNKNOWN, ErrorCode.PROCESSOR_TIMEOUT), (REFUSED, ErrorCode.PROCESSOR_ERROR)],
)
def test_a_void_is_explained_by_what_led_to_it(error: PaymentError, code: ErrorCode) -> None:
    charge = Charge(key="key", state=ChargeState.VOIDED).explained_by(error)

    with pytest.raises(PaymentError) as caught:
        verify_charge(charge)
    assert caught.value.code is code


@pytest.mark.parametrize("state", [ChargeState.CAPTURED, ChargeState.DECLINED])
def test_a_definite_charge_needs_no_explanation(state: ChargeState) -> None:
    charge = Charge(key="key", state=state)

    assert charge.explained_by(UNKNOWN) is charge
