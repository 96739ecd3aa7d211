"""What callers may send, in all spellings, and the members of the responses."""

import json
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from api.checkout import Checkout
from api.schemas import PaymentEnvelope, PaymentRequest
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState
from domain.instruction import PaymentMethod
from domain.money import Money
from domain.payment import Payment
from tests.support.builders import NOON, an_instruction

ORDER = "0f8fad5b-d9cb-469f-a165-70867728950e"
CUSTOMER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
RESERVATION = "9b2e6a52-3c55-4f2e-9a8e-1f1d6b1f0c11"
NIL = "00000000-0000-0000-0000-000000000000"


def request(amount: str = "150.00", /, **members: Any) -> PaymentRequest:
    """A request whose `amount` is the given JSON text, read as the routes read it."""
    whole = {"orderId": ORDER, "customerId": CUSTOMER, **members}
    text = json.dumps(whole)[:-1] + f', "amount": {amount}}}'
    return PaymentRequest.model_validate(exact_json.loads(text))


def test_everything_but_ids_and_amount_has_a_default() -> None:
    assert request().model_dump() == {
        "order_id": UUID(ORDER),
        "customer_id": UUID(CUSTOMER),
        "reservation_id": None,
        "currency": "USD",
        "amount": {"minor_units": 15_000, "currency": "USD"},
        "payment_method": PaymentMethod.CREDIT_CARD,
        "payment_method_token": None,
    }


def test_what_is_null_or_unknown_changes_nothing() -> None:
    nothing = {"reservationId": None, "currency": None, "paymentMethod": None, "payment": {"x": 1}}

    assert request(**nothing) == request()


def test_an_instruction_has_all_that_was_asked_and_an_id_of_its_own() -> None:
    asked = request(reservationId=RESERVATION, currency="EUR", paymentMethod="wallet")

    one, two = [Checkout().instruction(asked, NOON) for _ in range(2)]

    assert one == an_instruction(
        payment_id=one.payment_id,
        order_id=UUID(ORDER),
        customer_id=UUID(CUSTOMER),
        reservation_id=UUID(RESERVATION),
        amount=Money.parse("150.00", "EUR"),
        payment_method=PaymentMethod.WALLET,
    )
    assert one.payment_id != two.payment_id


@pytest.mark.parametrize(
    ("spelling", "method"),
    [
        ("credit_card", "credit_card"),
        ("CreditCard", "credit_card"),
        ("creditCard", "credit_card"),
        ("credit-card", "credit_card"),
        ("CREDIT_CARD", "credit_card"),
        ("Debit Card", "debit_card"),
        ("WALLET", "wallet"),
        ("BankTransfer", "bank_transfer"),
    ],
)
def test_a_payment_method_is_known_in_all_its_spellings(spelling: str, method: str) -> None:
    assert request(paymentMethod=spelling).payment_method == method


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units"),
    [
        ("150.00", "USD", 15_000),
        ("150", "USD", 15_000),
        ("150.5", "USD", 15_050),
        ('"150.00"', "USD", 15_000),
        ("150", "JPY", 150),
        ("0.001", "KWD", 1),
        ("9007199254740.93", "USD", 900_719_925_474_093),
    ],
)
def test_an_amount_is_read_to_the_last_digit(amount: str, currency: str, minor_units: int) -> None:
    assert request(amount, currency=currency).amount.minor_units == minor_units


def test_an_upper_case_uuid_is_the_same_uuid() -> None:
    assert request(orderId=ORDER.upper()) == request()


@pytest.mark.parametrize(
    "amount",
    [
        *("0", "0.00", "-0", "-1", "0.001", "1e2", "1E+3", "1e400", "NaN", "Infinity", "-Infinity"),
        *("true", "false", "null", "[]", "{}", "[150]", '""', '" 150"', '"1e2"', '"NaN"', '"+1"'),
        *('"1_000"', '"\\u0661\\u0662"', '"150.00\\n"', '".5"', '"5."', "10000000000000000.01"),
        *("9" * 5_000, '"' + "9" * 5_000 + '"'),
    ],
    ids=lambda amount: amount[:14],
)
def test_everything_else_is_refused_as_an_amount(amount: str) -> None:
    assert wrong(amount) == ["amount"]


REFUSED: dict[str, list[Any]] = {
    "orderId": [
        *(NIL, "", "order", ORDER[:-1], ORDER + "0", ORDER[:-1] + "g", None, 1, []),
        *(ORDER.replace("-", ""), f"{{{ORDER[1:-1]}}}", f"urn:uuid:{ORDER}"),
    ],
    "customerId": [NIL, "someone@example.com", None, True],
    "reservationId": [NIL, "", "seat-1", 1],
    "currency": ["usd", "", "ABC", "XAU", "US$", 840, ["USD"]],
    "paymentMethod": ["", "cash", "credit", 1, ["wallet"], {}],
}


@pytest.mark.parametrize(
    ("member", "value"),
    [(member, value) for member, values in REFUSED.items() for value in values],
    ids=lambda value: ascii(value)[:40],
)
def test_every_other_value_is_refused(member: str, value: object) -> None:
    assert wrong(**{member: value}) == [member]


@pytest.mark.parametrize("member", ["orderId", "customerId", "amount"])
def test_what_is_required_may_not_be_absent(member: str) -> None:
    whole = {"orderId": ORDER, "customerId": CUSTOMER, "amount": "150.00"}
    del whole[member]

    with pytest.raises(ValidationError, match="Field required"):
        PaymentRequest.model_validate(whole)


@pytest.mark.parametrize(("amount", "currency"), [("1.5", "JPY"), ("1.234", "EUR")])
def test_an_amount_has_no_more_places_than_its_currency(amount: str, currency: str) -> None:
    assert wrong(amount, currency=currency) == ["amount"]


def wrong(amount: str = "150.00", /, **members: Any) -> list[Any]:
    """The members that are refused."""
    with pytest.raises(ValidationError) as caught:
        request(amount, **members)
    return [error["loc"][0] for error in caught.value.errors()]


PENDING = Payment.pending(
    an_instruction(
        payment_id=UUID(int=1),
        order_id=UUID(ORDER),
        customer_id=UUID(CUSTOMER),
        reservation_id=UUID(RESERVATION),
    )
)
CHARGE = Charge(
    key="key",
    state=ChargeState.CAPTURED,
    transaction_id="txn_1",
    is_simulated=True,
    simulated_response="Success - TransactionId: txn_1",
)


def test_a_success_is_read_as_the_contract_says() -> None:
    payment = PENDING.charged(CHARGE).succeeded(at=NOON)

    assert exact_json.dumps(PaymentEnvelope.of(payment, None)).decode() == (
        '{"success":true,"errorMessage":null,"payment":{'
        '"id":"00000000-0000-0000-0000-000000000001",'
        f'"orderId":"{ORDER}","customerId":"{CUSTOMER}","reservationId":"{RESERVATION}",'
        '"amount":150.00,"currency":"USD","paymentMethod":"credit_card","status":"succeeded",'
        '"errorCode":null,"errorMessage":null,"failureReason":null,'
        '"createdAt":"2026-11-23T12:00:00Z","processedAt":"2026-11-23T12:00:00Z",'
        '"isSimulated":true,"simulatedResponse":"Success - TransactionId: txn_1"}}'
    )


def test_a_failure_is_read_as_the_contract_says() -> None:
    payment = PENDING.failed(PaymentError(ErrorCode.CARD_DECLINED, "Declined."), at=NOON)

    envelope = PaymentEnvelope.of(payment, "Declined.")

    assert (envelope["success"], envelope["errorMessage"]) == (False, "Declined.")
    assert envelope["payment"]["status"] == "failed"
    assert envelope["payment"]["errorCode"] == "CARD_DECLINED"
    assert envelope["payment"]["errorMessage"] == "Declined."
    assert envelope["payment"]["failureReason"] == "card_declined"
