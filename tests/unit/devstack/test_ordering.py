"""The simulated Ordering: its orders, and what each payment event does to them."""

import json
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from fastapi import FastAPI

from devstack.neighbours import ordering
from domain.names import TOPIC_FAILED, TOPIC_REFUNDED, TOPIC_SUCCEEDED
from tests.unit.devstack.neighbours import Start, client_of

CUSTOMER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
PAYMENT = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Record(NamedTuple):
    """A Kafka record with the attributes of aiokafka's ConsumerRecord."""

    topic: str
    value: bytes | None
    offset: int = 0
    partition: int = 0
    timestamp: int = 1_750_000_000_000
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


async def new_order(app: FastAPI) -> dict[str, Any]:
    body = {"customerId": CUSTOMER, "totalAmount": 150.25}
    order: dict[str, Any] = (await client_of(app).post("/orders", json=body)).json()
    return order


def succeeded(order_id: str, **members: Any) -> dict[str, Any]:
    event = {"paymentId": PAYMENT, "orderId": order_id, "customerId": CUSTOMER}
    event |= {"currency": "USD", "paymentMethod": "credit_card", "status": "succeeded"}
    return event | {"amount": 150.25, "processedAt": "2026-01-02T03:04:05.678Z"} | members


def failed(order_id: str, **members: Any) -> dict[str, Any]:
    event = succeeded(order_id, status="failed", failureReason="card_declined")
    event["attemptedAt"] = event.pop("processedAt")
    return event | members


def refunded(order_id: str) -> dict[str, Any]:
    event = {"paymentId": PAYMENT, "orderId": order_id, "customerId": CUSTOMER}
    event |= {"refundId": str(uuid4()), "refundedAt": "2026-01-02T03:04:05.678Z"}
    return {**event, "currency": "USD", "amount": 10.25}


def consume(app: FastAPI, topic: str, event: Any, offset: int = 0) -> None:
    headers = (("event-id", b"e-1"),)
    record = Record(topic, json.dumps(event).encode(), offset, key=b"key", headers=headers)
    app.state.orders.consume(record)


async def get_events(app: FastAPI, path: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = (await client_of(app).get(path)).json()
    return events


async def test_a_created_order_is_read_back_with_its_exact_amount(start: Start) -> None:
    client = client_of(start(ordering))

    body = f'{{"customerId":"{CUSTOMER.upper()}","totalAmount":9007199254740.93}}'
    created = await client.post("/orders", content=body)

    assert created.status_code == 201
    assert b'"totalAmount":9007199254740.93,' in created.content
    order = created.json()
    assert (order["customerId"], order["currency"], order["status"]) == (CUSTOMER, "USD", "pending")
    assert (order["paidAt"], order["paymentId"]) == (None, None)
    assert (await client.get(f"/orders/{order['id']}")).content == created.content
    assert (await client.get(f"/orders/{uuid4()}")).status_code == 404


async def test_an_order_id_is_created_once_and_refused_with_other_content(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)
    body = {"id": order["id"], "customerId": CUSTOMER, "totalAmount": 150.25}
    await client_of(app).patch(f"/orders/{order['id']}", json={"status": "fulfilled"})

    again = await client_of(app).post("/orders", json=body)
    other = await client_of(app).post("/orders", json=body | {"totalAmount": 1})

    assert again.status_code == 200
    assert again.json() == order | {"status": "fulfilled"}
    assert other.status_code == 409


@pytest.mark.parametrize(
    "fault",
    [
        {"customerId": "me"},
        {"totalAmount": 0},
        {"totalAmount": 1.001},
        {"currency": "usd"},
        {"status": "lost"},
        {"unknown": 1},
    ],
)
async def test_an_invalid_order_is_refused_with_the_name_of_the_member(
    start: Start, fault: dict[str, Any]
) -> None:
    body = {"customerId": CUSTOMER, "totalAmount": 1} | fault
    response = await client_of(start(ordering)).post("/orders", json=body)

    assert response.status_code == 400
    assert next(iter(fault)) in response.json()["error"]


async def test_a_succeeded_payment_sets_the_order_to_paid(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"], transactionId="txn_1"))

    paid = (await client_of(app).get(f"/orders/{order['id']}")).json()
    assert (paid["status"], paid["paymentId"]) == ("paid", PAYMENT)
    assert paid["paidAt"] == "2026-01-02T03:04:05.678000Z"
    [event] = await get_events(app, f"/events?orderId={order['id']}")
    assert event["value"] == succeeded(order["id"], transactionId="txn_1")
    assert (event["topic"], event["outcome"]) == (TOPIC_SUCCEEDED, "applied")
    assert (event["key"], event["headers"]) == ("key", {"event-id": "e-1"})
    assert await get_events(app, "/events?orderId=other") == []


async def test_a_failed_payment_cancels_the_order_and_a_later_success_is_refused(
    start: Start,
) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_FAILED, failed(order["id"]))
    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"]))

    assert (await client_of(app).get(f"/orders/{order['id']}")).json()["status"] == "cancelled"
    [refused] = await get_events(app, "/events/refused")
    assert (refused["topic"], refused["reason"]) == (TOPIC_SUCCEEDED, "the order is cancelled")


async def test_an_equal_event_is_repeated_and_one_of_another_payment_is_refused(
    start: Start,
) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"]), offset=0)
    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"]), offset=1)
    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"], paymentId=str(uuid4())), offset=2)

    outcomes = [event["outcome"] for event in await get_events(app, "/events")]
    assert outcomes == ["applied", "repeated", "refused"]


async def test_each_refund_is_added_once_even_before_the_payment(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)
    first, second = refunded(order["id"]), refunded(order["id"])

    for event in (first, succeeded(order["id"]), first, second):
        topic = TOPIC_REFUNDED if "refundId" in event else TOPIC_SUCCEEDED
        consume(app, topic, event, offset=len(await get_events(app, "/events")))

    outcomes = [event["outcome"] for event in await get_events(app, "/events")]
    assert outcomes == ["applied", "applied", "repeated", "applied"]
    paid = (await client_of(app).get(f"/orders/{order['id']}")).json()
    assert (paid["status"], paid["refundedAmount"]) == ("paid", 20.5)


async def test_a_refund_of_a_cancelled_order_is_refused(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_FAILED, failed(order["id"]))
    consume(app, TOPIC_REFUNDED, refunded(order["id"]), offset=1)

    [refused] = await get_events(app, "/events/refused")
    assert refused["topic"] == TOPIC_REFUNDED


async def test_an_event_of_an_unknown_order_is_refused(start: Start) -> None:
    app = start(ordering)

    consume(app, TOPIC_FAILED, failed(str(uuid4())))

    assert [event["reason"] for event in await get_events(app, "/events/refused")] == [
        "there is no such order"
    ]


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        (TOPIC_SUCCEEDED, {"orderId": str(uuid4()).upper()}),
        (TOPIC_SUCCEEDED, {"paymentId": uuid4().hex}),
        (TOPIC_SUCCEEDED, {"reservationId": None}),
        (TOPIC_SUCCEEDED, {"amount": "150.25"}),
        (TOPIC_SUCCEEDED, {"amount": 0}),
        (TOPIC_SUCCEEDED, {"status": "failed"}),
        (TOPIC_SUCCEEDED, {"eventId": "e"}),
        (TOPIC_SUCCEEDED, {"payment_id": PAYMENT}),
        (TOPIC_SUCCEEDED, {"paymentMethod": "CreditCard"}),
        (TOPIC_SUCCEEDED, {"processedAt": "yesterday"}),
        (TOPIC_FAILED, {"failureReason": "unlucky"}),
        (TOPIC_FAILED, {"errorCode": None}),
        (TOPIC_FAILED, {"transactionId": "txn_1"}),
    ],
)
async def test_an_event_that_does_not_follow_its_schema_is_rejected(
    start: Start, topic: str, fault: dict[str, Any]
) -> None:
    app = start(ordering)
    order = await new_order(app)
    whole = succeeded(order["id"]) if topic == TOPIC_SUCCEEDED else failed(order["id"])

    consume(app, topic, whole | fault)

    [rejected] = await get_events(app, "/events/rejected")
    assert next(iter(fault)) in rejected["reason"]
    assert json.loads(rejected["value"]) == whole | fault
    assert (await client_of(app).get(f"/orders/{order['id']}")).json()["status"] == "pending"


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b'"\\ud800"', b"NaN", b"[" * 100_000])
async def test_a_record_that_is_not_json_is_rejected(start: Start, value: bytes | None) -> None:
    app = start(ordering)

    app.state.orders.consume(Record(TOPIC_FAILED, value))

    assert len(await get_events(app, "/events/rejected")) == 1


async def test_orders_and_events_are_the_same_after_a_restart(start: Start) -> None:
    before = start(ordering)
    order = await new_order(before)
    consume(before, TOPIC_SUCCEEDED, succeeded(order["id"]))
    paths = ("/events", f"/orders/{order['id']}")
    bodies = [(await client_of(before).get(path)).content for path in paths]

    after = start(ordering)
    consume(after, TOPIC_SUCCEEDED, succeeded(order["id"]))

    assert [(await client_of(after).get(path)).content for path in paths] == bodies


async def test_ordering_reports_that_it_is_healthy(start: Start) -> None:
    response = await client_of(start(ordering)).get("/health")

    assert response.json() == {"status": "Healthy", "service": "ordering"}
