"""The simulated Ordering and Inventory: what they answer, consume, refuse and remember."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from devstack.neighbours import inventory, ordering
from devstack.neighbours.settings import NeighbourSettings
from domain.names import TOPIC_FAILED, TOPIC_REFUNDED, TOPIC_SUCCEEDED

CUSTOMER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
PAYMENT = "0f8fad5b-d9cb-469f-a165-70867728950e"

Start = Callable[[ModuleType], FastAPI]


class Record(NamedTuple):
    """A Kafka record as aiokafka hands it over."""

    topic: str
    value: bytes | None
    offset: int = 0
    partition: int = 0
    timestamp: int = 1_750_000_000_000
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a neighbour on the data of this test; started again it is a restart."""
    apps: list[FastAPI] = []

    def start(neighbour: ModuleType) -> FastAPI:
        apps.append(neighbour.create_app(NeighbourSettings(devstack_data=tmp_path)))
        return apps[-1]

    yield start
    for app in apps:
        app.state.journal.close()


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://neighbour")


async def new_order(app: FastAPI, **members: Any) -> dict[str, Any]:
    body = {"customerId": CUSTOMER, "totalAmount": 150.25, **members}
    order: dict[str, Any] = (await client(app).post("/orders", json=body)).json()
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


async def listed(app: FastAPI, path: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = (await client(app).get(path)).json()
    return events


async def test_an_order_is_created_and_read_exactly(start: Start) -> None:
    ordering_client = client(start(ordering))

    body = f'{{"customerId":"{CUSTOMER.upper()}","totalAmount":9007199254740.93}}'
    created = await ordering_client.post("/orders", content=body)

    assert created.status_code == 201
    assert b'"totalAmount":9007199254740.93,' in created.content
    order = created.json()
    assert (order["customerId"], order["currency"], order["status"]) == (CUSTOMER, "USD", "pending")
    assert (order["paidAt"], order["paymentId"]) == (None, None)
    assert (await ordering_client.get(f"/orders/{order['id']}")).content == created.content
    assert (await ordering_client.get(f"/orders/{uuid4()}")).status_code == 404


async def test_the_same_order_is_created_once(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)
    body = {"id": order["id"], "customerId": CUSTOMER, "totalAmount": 150.25}
    await client(app).patch(f"/orders/{order['id']}", json={"status": "fulfilled"})

    again = await client(app).post("/orders", json=body)
    other = await client(app).post("/orders", json=body | {"totalAmount": 1})

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
async def test_a_bad_order_is_refused(start: Start, fault: dict[str, Any]) -> None:
    body = {"customerId": CUSTOMER, "totalAmount": 1} | fault
    answer = await client(start(ordering)).post("/orders", json=body)

    assert answer.status_code == 400
    assert next(iter(fault)) in answer.json()["error"]


async def test_a_success_marks_the_order_paid(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"], transactionId="txn_1"))

    paid = (await client(app).get(f"/orders/{order['id']}")).json()
    assert (paid["status"], paid["paymentId"]) == ("paid", PAYMENT)
    assert paid["paidAt"] == "2026-01-02T03:04:05.678000Z"
    [event] = await listed(app, f"/events?orderId={order['id']}")
    assert event["value"] == succeeded(order["id"], transactionId="txn_1")
    assert (event["topic"], event["outcome"]) == (TOPIC_SUCCEEDED, "applied")
    assert (event["key"], event["headers"]) == ("key", {"event-id": "e-1"})
    assert await listed(app, "/events?orderId=other") == []


async def test_a_failure_cancels_the_order_and_a_later_success_is_refused(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_FAILED, failed(order["id"]))
    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"]))

    assert (await client(app).get(f"/orders/{order['id']}")).json()["status"] == "cancelled"
    [refused] = await listed(app, "/events/refused")
    assert (refused["topic"], refused["reason"]) == (TOPIC_SUCCEEDED, "the order is cancelled")


async def test_a_repeated_event_is_no_contradiction(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"]), offset=0)
    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"]), offset=1)
    consume(app, TOPIC_SUCCEEDED, succeeded(order["id"], paymentId=str(uuid4())), offset=2)

    outcomes = [event["outcome"] for event in await listed(app, "/events")]
    assert outcomes == ["applied", "repeated", "refused"]


async def test_refunds_of_a_paid_order_add_up(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)
    first, second = refunded(order["id"]), refunded(order["id"])

    for event in (first, succeeded(order["id"]), first, second):
        topic = TOPIC_REFUNDED if "refundId" in event else TOPIC_SUCCEEDED
        consume(app, topic, event, offset=len(await listed(app, "/events")))

    outcomes = [event["outcome"] for event in await listed(app, "/events")]
    assert outcomes == ["applied", "applied", "repeated", "applied"]
    paid = (await client(app).get(f"/orders/{order['id']}")).json()
    assert (paid["status"], paid["refundedAmount"]) == ("paid", 20.5)


async def test_a_refund_of_a_cancelled_order_is_refused(start: Start) -> None:
    app = start(ordering)
    order = await new_order(app)

    consume(app, TOPIC_FAILED, failed(order["id"]))
    consume(app, TOPIC_REFUNDED, refunded(order["id"]), offset=1)

    [refused] = await listed(app, "/events/refused")
    assert refused["topic"] == TOPIC_REFUNDED


async def test_an_event_of_an_unknown_order_is_refused(start: Start) -> None:
    app = start(ordering)

    consume(app, TOPIC_FAILED, failed(str(uuid4())))

    assert [event["reason"] for event in await listed(app, "/events/refused")] == [
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
async def test_an_event_that_breaks_the_contract_is_rejected(
    start: Start, topic: str, fault: dict[str, Any]
) -> None:
    app = start(ordering)
    order = await new_order(app)
    whole = succeeded(order["id"]) if topic == TOPIC_SUCCEEDED else failed(order["id"])

    consume(app, topic, whole | fault)

    [rejected] = await listed(app, "/events/rejected")
    assert next(iter(fault)) in rejected["reason"]
    assert json.loads(rejected["value"]) == whole | fault
    assert (await client(app).get(f"/orders/{order['id']}")).json()["status"] == "pending"


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b'"\\ud800"', b"NaN", b"[" * 100_000])
async def test_a_record_that_is_no_event_is_rejected(start: Start, value: bytes | None) -> None:
    app = start(ordering)

    app.state.orders.consume(Record(TOPIC_FAILED, value))

    assert len(await listed(app, "/events/rejected")) == 1


async def test_a_restarted_ordering_knows_its_orders_and_events(start: Start) -> None:
    before = start(ordering)
    order = await new_order(before)
    consume(before, TOPIC_SUCCEEDED, succeeded(order["id"]))
    answers = [(await client(before).get(p)).content for p in ("/events", f"/orders/{order['id']}")]

    after = start(ordering)
    consume(after, TOPIC_SUCCEEDED, succeeded(order["id"]))

    paths = ("/events", f"/orders/{order['id']}")
    assert [(await client(after).get(path)).content for path in paths] == answers


async def test_a_reservation_is_held_for_a_quarter_of_an_hour(start: Start) -> None:
    inventory_client = client(start(inventory))

    body = {"orderId": PAYMENT, "customerId": CUSTOMER}
    created = await inventory_client.post("/reservations", json=body)

    assert created.status_code == 201
    reservation = created.json()
    assert reservation["status"] == "active"
    assert reservation["expiresAt"].endswith("Z")
    found = await inventory_client.get(f"/reservations/{reservation['id']}")
    assert found.json() == reservation
    assert (await inventory_client.get(f"/reservations/{uuid4()}")).status_code == 404


@pytest.mark.parametrize(
    ("status", "expires_at", "shown"),
    [
        ("active", "2020-01-01T00:00:00Z", "expired"),
        ("active", "2999-01-01T01:00:00+01:00", "active"),
        ("confirmed", "2020-01-01T00:00:00Z", "confirmed"),
        ("expired", "2999-01-01T00:00:00Z", "expired"),
    ],
)
async def test_only_an_active_reservation_lapses(
    start: Start, status: str, expires_at: str, shown: str
) -> None:
    body = {"status": status, "expiresAt": expires_at}
    created = await client(start(inventory)).post("/reservations", json=body)

    assert created.json()["status"] == shown


async def test_a_reservation_can_be_changed_and_outlives_a_restart(start: Start) -> None:
    before = client(start(inventory))
    path = f"/reservations/{(await before.post('/reservations', json={})).json()['id']}"

    lapsed = await before.patch(path, json={"expiresAt": "2020-01-01T00:00:00Z"})
    confirmed = await before.patch(path, json={"status": "confirmed"})

    assert lapsed.json()["status"] == "expired"
    assert confirmed.json() == lapsed.json() | {"status": "confirmed"}
    assert (await client(start(inventory)).get(path)).content == confirmed.content


async def test_a_bad_reservation_is_refused(start: Start) -> None:
    inventory_client = client(start(inventory))
    taken = (await inventory_client.post("/reservations", json={})).json()["id"]

    bad = {"status": "lost", "expiresAt": "2026-01-01T00:00:00", "orderId": "order"}
    for name, value in bad.items():
        answer = await inventory_client.post("/reservations", json={name: value})
        assert answer.status_code == 400
        assert name in answer.json()["error"]
    again = await inventory_client.post("/reservations", json={"id": taken})
    assert again.status_code == 409


@pytest.mark.parametrize("neighbour", [ordering, inventory])
async def test_a_neighbour_tells_that_it_is_healthy(start: Start, neighbour: ModuleType) -> None:
    answer = await client(start(neighbour)).get("/health")

    service = neighbour.__name__.removeprefix("devstack.neighbours.")
    assert answer.json() == {"status": "Healthy", "service": service}
