"""The bodies and headers of all events, as strict consumers read them."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.adapters.kafka import headers
from domain import exact_json, names
from domain.errors import ErrorCode, PaymentError
from domain.events import Event, PaymentEvent, RefundEvent
from domain.gateway import Charge, ChargeState
from domain.money import Money
from domain.payment import Payment
from tests.support.builders import NOON, a_refund, an_instruction
from tests.support.contract import event_validator

Check = Callable[[Any], bool]


def one_of(*words: str) -> Check:
    return lambda value: value in words


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and bool(
        re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
    )


def is_time(value: Any) -> bool:
    return value.endswith("Z") and datetime.fromisoformat(value).utcoffset() == timedelta(0)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_amount(value: Any) -> bool:
    return type(value) in {int, Decimal} and value > 0


COMMON: dict[str, Check] = {
    "paymentId": is_uuid,
    "orderId": is_uuid,
    "customerId": is_uuid,
    "amount": is_amount,
    "currency": lambda value: bool(re.fullmatch("[A-Z]{3}", value)),
    "paymentMethod": one_of("credit_card", "debit_card", "wallet", "bank_transfer"),
}
REQUIRED: dict[str, dict[str, Check]] = {
    "payment-succeeded": {**COMMON, "processedAt": is_time, "status": one_of("succeeded")},
    "payment-failed": {
        **COMMON,
        "failureReason": one_of(
            "insufficient_funds", "card_declined", "invalid_card", "processor_error", "timeout"
        ),
        "attemptedAt": is_time,
        "status": one_of("failed"),
    },
    "payment-refunded": {
        "refundId": is_uuid,
        "refundedAt": is_time,
        **{name: COMMON[name] for name in COMMON.keys() - {"paymentMethod"}},
    },
}
OPTIONAL: dict[str, dict[str, Check]] = {
    "payment-succeeded": {"reservationId": is_uuid, "transactionId": is_text},
    "payment-refunded": {},
    "payment-failed": {"reservationId": is_uuid, "errorCode": is_text, "errorMessage": is_text},
}

P, O, C, R = (UUID(f"0F8FAD5B-D9CB-469F-A165-70867728950{digit}") for digit in "1234")  # noqa: E741
PENDING = Payment.pending(an_instruction(payment_id=P, order_id=O, customer_id=C, reservation_id=R))
SUCCEEDED = PENDING.charged(
    Charge(key="key", state=ChargeState.CAPTURED, transaction_id="txn_1")
).succeeded(at=NOON)
FAILED = PENDING.failed(PaymentError(ErrorCode.CARD_DECLINED, "Declined."), at=NOON)
REFUND = a_refund(SUCCEEDED.announced(), "0.50").succeeded(NOON)

EVENTS: dict[str, Event] = {
    "success": PaymentEvent.of(SUCCEEDED),
    "bare success": PaymentEvent.of(
        PENDING.model_copy(update={"reservation_id": None}).succeeded(NOON)
    ),
    "failure": PaymentEvent.of(FAILED.model_copy(update={"released_reservation_id": R})),
    "refund": RefundEvent(refund=REFUND),
    "failure that frees nothing": PaymentEvent.of(FAILED),
    **{
        str(code): PaymentEvent.of(PENDING.failed(PaymentError(code, "Why."), NOON))
        for code in ErrorCode
    },
}


def body(event: Event) -> Any:
    return json.loads(exact_json.dumps(event.value), parse_float=Decimal)


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_fits_its_schema(event: Event) -> None:
    members, required = body(event), REQUIRED[event.topic]
    allowed = required | OPTIONAL[event.topic]

    assert required.keys() <= members.keys() <= allowed.keys()
    assert [name for name, value in members.items() if not allowed[name](value)] == []


VALIDATORS = {topic: event_validator(topic) for topic in names.TOPICS}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_is_as_published(event: Event) -> None:
    VALIDATORS[event.topic].validate(json.loads(exact_json.dumps(event.value)))


@pytest.mark.parametrize(
    "fault",
    [
        {"amount": "150.00"},
        {"amount": 0},
        {"orderId": "one"},
        {"currency": None},
        {"status": "refunded"},
        {"reservationId": None},
        {"transactionId": None},
        {"processedAt": "yesterday"},
    ],
)
def test_the_published_schema_refuses_an_invalid_event(fault: dict[str, Any]) -> None:
    event = json.loads(exact_json.dumps(EVENTS["success"].value))

    assert not VALIDATORS["payment-succeeded"].is_valid(event | fault)


def test_a_success_event_has_these_members() -> None:
    assert body(EVENTS["success"]) == {
        "paymentId": "0f8fad5b-d9cb-469f-a165-708677289501",
        "orderId": "0f8fad5b-d9cb-469f-a165-708677289502",
        "customerId": "0f8fad5b-d9cb-469f-a165-708677289503",
        "reservationId": "0f8fad5b-d9cb-469f-a165-708677289504",
        "amount": Decimal("150.00"),
        "currency": "USD",
        "paymentMethod": "credit_card",
        "status": "succeeded",
        "transactionId": "txn_1",
        "processedAt": "2026-11-23T12:00:00Z",
    }


def test_a_failure_event_has_these_members() -> None:
    assert body(EVENTS["failure"]) == {
        "paymentId": "0f8fad5b-d9cb-469f-a165-708677289501",
        "orderId": "0f8fad5b-d9cb-469f-a165-708677289502",
        "customerId": "0f8fad5b-d9cb-469f-a165-708677289503",
        "reservationId": "0f8fad5b-d9cb-469f-a165-708677289504",
        "amount": Decimal("150.00"),
        "currency": "USD",
        "paymentMethod": "credit_card",
        "status": "failed",
        "failureReason": "card_declined",
        "errorCode": "CARD_DECLINED",
        "errorMessage": "Declined.",
        "attemptedAt": "2026-11-23T12:00:00Z",
    }


def test_a_refund_event_has_these_members() -> None:
    assert body(EVENTS["refund"]) == {
        "refundId": str(REFUND.id),
        "paymentId": "0f8fad5b-d9cb-469f-a165-708677289501",
        "orderId": "0f8fad5b-d9cb-469f-a165-708677289502",
        "customerId": "0f8fad5b-d9cb-469f-a165-708677289503",
        "amount": Decimal("0.50"),
        "currency": "USD",
        "refundedAt": "2026-11-23T12:00:00Z",
    }


def test_a_failure_names_no_reservation_but_the_one_to_free() -> None:
    assert "reservationId" not in body(EVENTS["failure that frees nothing"])


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("150.00", "USD"), ("150", "JPY"), ("0.001", "KWD"), ("9999999999999.99", "USD")],
)
def test_the_amount_is_a_number_with_all_its_digits(amount: str, currency: str) -> None:
    payment = SUCCEEDED.model_copy(update={"amount": Money.parse(amount, currency)})

    text = exact_json.dumps(PaymentEvent.of(payment).value).decode()

    assert f'"amount":{amount},"currency":"{currency}"' in text


@pytest.mark.parametrize("name", ["success", "failure", "refund"])
def test_an_event_is_the_same_however_often_it_is_published(name: str) -> None:
    event, converter = EVENTS[name], pydantic_data_converter.payload_converter

    [again] = converter.from_payloads(converter.to_payloads([event]), [type(event)])

    assert exact_json.dumps(again.value) == exact_json.dumps(event.value)
    assert headers(again) == headers(event)


def test_the_headers_carry_what_the_body_has_no_room_for() -> None:
    event = EVENTS["success"]

    assert dict(headers(event)) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": str(event.id).encode(),
        "ce_type": b"payment-succeeded",
        "ce_source": b"/payments",
        "ce_subject": b"0f8fad5b-d9cb-469f-a165-708677289501",
    }


def test_events_of_one_order_stay_in_order_and_differ_in_id() -> None:
    events = [EVENTS[name] for name in ("success", "failure", "refund")]

    assert {each.key for each in events} == {"0f8fad5b-d9cb-469f-a165-708677289502"}
    assert len({each.id for each in events}) == len(events)
    assert [each.topic for each in events] == [*names.TOPICS]
