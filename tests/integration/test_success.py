"""A payment that succeeds: its response, its event, its row and its order."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain import exact_json
from domain.names import TOPIC_SUCCEEDED, event_id
from tests.support.agreement import assert_agreement
from tests.support.system import System

MEMBERS = [
    *("id", "orderId", "customerId", "reservationId", "amount", "currency", "paymentMethod"),
    *("status", "errorCode", "errorMessage", "failureReason", "createdAt", "processedAt"),
    *("isSimulated", "simulatedResponse"),
]


async def test_the_response_is_the_envelope_of_the_contract(system: System) -> None:
    order = await system.an_order()

    answer = await system.pay(order)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.body) == ["success", "errorMessage", "payment"]
    assert list(answer.payment) == MEMBERS
    assert (answer.body["success"], answer.body["errorMessage"]) == (True, None)
    assert answer.payment["isSimulated"] is True
    assert answer.payment["simulatedResponse"].startswith("Success - TransactionId: txn_")
    await assert_agreement(system, order, answer)


async def test_raw_body_is_what_existing_scripts_read(system: System) -> None:
    answer = await system.pay(await system.an_order("150.00"))

    assert '"amount":150.00,' in answer.text
    assert answer.text == json.dumps(json.loads(answer.text), separators=(",", ":")).replace(
        '"amount":150.0,', '"amount":150.00,'
    )
    assert answer.text.split('"status":"')[1].startswith('succeeded"')


async def test_times_are_utc_and_in_order(system: System) -> None:
    began = datetime.now(UTC)

    payment = (await system.pay(await system.an_order())).payment

    created, processed = payment["createdAt"], payment["processedAt"]
    assert created.endswith("Z")
    assert processed.endswith("Z")
    created_at, processed_at = map(datetime.fromisoformat, (created, processed))
    assert began <= created_at <= processed_at <= datetime.now(UTC)


async def test_a_success_is_published_in_one_event(system: System) -> None:
    order = await system.an_order()
    seat = await system.a_seat(order)

    answer = await system.pay(order, reservationId=seat)

    (event,) = await system.events(order)
    assert (event.topic, event.key) == (TOPIC_SUCCEEDED, order.id)
    assert event.id == str(event_id(answer.payment["id"], TOPIC_SUCCEEDED))
    assert event.headers["content-type"] == "application/json"
    assert event.headers["ce_type"] == TOPIC_SUCCEEDED
    assert event.body["reservationId"] == answer.payment["reservationId"] == seat
    assert b'"amount":150.00,' in event.value
    await assert_agreement(system, order, answer)


async def test_event_names_no_reservation_that_was_not_asked_for(system: System) -> None:
    order = await system.an_order()

    answer = await system.pay(order)

    (event,) = await system.events(order)
    assert "reservationId" not in event.body
    await assert_agreement(system, order, answer)


async def test_row_has_been_pending_first(system: System) -> None:
    order = await system.an_order()

    payment = (await system.pay(order)).payment

    (row,) = await system.rows(order)
    assert (row["amount_minor"], row["currency_exponent"]) == (15000, 2)
    assert await system.transitions(payment["id"]) == ["pending", "succeeded"]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("credit_card", "credit_card"),
        ("CreditCard", "credit_card"),
        ("debit_card", "debit_card"),
        ("wallet", "wallet"),
        ("bank_transfer", "bank_transfer"),
        ("Bank Transfer", "bank_transfer"),
    ],
)
async def test_every_method_pays(system: System, sent: str, stored: str) -> None:
    order = await system.an_order()

    answer = await system.pay(order, paymentMethod=sent)

    assert (answer.status, answer.payment["paymentMethod"]) == (200, stored)
    await assert_agreement(system, order, answer)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("0.01", "USD"), ("999999.98", "EUR"), ("15000", "JPY"), ("12.345", "BHD")],
)
async def test_every_currency_keeps_its_places(system: System, amount: str, currency: str) -> None:
    order = await system.an_order(amount, currency=currency)

    answer = await system.pay(order)

    assert answer.status == 200
    assert f'"amount":{amount},"currency":"{currency}"' in answer.text
    await assert_agreement(system, order, answer)


async def test_a_request_to_the_other_spelling_of_the_address_pays(system: System) -> None:
    order = await system.an_order()

    answer = await system.post(exact_json.dumps(order.request()), path="/Payments")

    assert answer.status == 200
    await assert_agreement(system, order, answer)


@pytest.mark.parametrize("absent", [{}, {"currency": None, "paymentMethod": None}])
async def test_currency_and_method_have_defaults(system: System, absent: dict[str, None]) -> None:
    order = await system.an_order()
    request = {"orderId": order.id, "customerId": order.customer_id, "amount": Decimal(150)}

    answer = await system.post(exact_json.dumps(request | absent))

    assert answer.payment["currency"] == "USD"
    assert answer.payment["paymentMethod"] == "credit_card"
    assert '"amount":150.00,' in answer.text
    await assert_agreement(system, order, answer)


async def test_payment_can_be_read_again(system: System) -> None:
    answer = await system.pay(await system.an_order())

    again = await system.get(f"/payments/{answer.payment['id']}")

    assert (again.status, again.text) == (200, answer.text)
