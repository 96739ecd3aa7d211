"""The orders of the simulated Ordering, and what every consumed event did to them."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from aiokafka import ConsumerRecord
from pydantic import Field

from devstack.neighbours.journal import Journal, loads_typed, utc_now
from devstack.neighbours.neighbour import Amount, Refusal, UtcTime, UuidText, Wire
from devstack.neighbours.payment_events import parse_event
from domain import exact_json, names
from domain.money import CurrencyCode

OrderStatus = Literal["draft", "pending", "paid", "fulfilled", "cancelled"]
Outcome = Literal["applied", "repeated", "refused", "rejected"]


class OrderRequest(Wire):
    id: UuidText = Field(default_factory=lambda: str(uuid4()))
    customer_id: UuidText
    currency: CurrencyCode = "USD"
    total_amount: Amount
    status: OrderStatus = "pending"


class OrderChange(Wire):
    status: OrderStatus


class Order(Wire):
    id: str
    customer_id: str
    total_amount: Decimal
    currency: str
    status: OrderStatus
    created_at: UtcTime = Field(default_factory=utc_now)
    paid_at: UtcTime | None = None
    payment_id: str | None = None
    refunded_amount: Decimal | None = None


class ConsumedEvent(Wire):
    """A record from Kafka and its outcome; a rejected one keeps its value as plain text."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    headers: dict[str, str]
    value: Any
    outcome: Outcome
    reason: str | None = None

    @property
    def order_id(self) -> str | None:
        order_id: str | None = self.key if self.outcome == "rejected" else self.value["orderId"]
        return order_id


_APPLIES_TO = {
    names.TOPIC_SUCCEEDED: {"pending"},
    names.TOPIC_FAILED: {"pending"},
    # Topics are not read in step: a refund may be heard of before the payment.
    names.TOPIC_REFUNDED: {"pending", "paid", "fulfilled"},
}


class Heard(NamedTuple):
    order_id: str | None
    outcome: Outcome
    body: bytes


class OrderBook:
    """Orders by id. An event settles a pending order, or gives back of a paid one."""

    def __init__(self, path: Path) -> None:
        self._created: dict[str, Order] = {}
        self._orders: dict[str, Order] = {}
        self._applied: set[tuple[str, str]] = set()
        self._consumed: set[tuple[str, int, int, int]] = set()
        self._heard: list[Heard] = []
        self.journal = Journal(path, self._apply)

    def _apply(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "order.created":
                order = Order.model_validate(data)
                self._created[order.id] = self._orders[order.id] = order
            case "order.changed":
                order = Order.model_validate(data)
                self._orders[order.id] = order
            case "event.consumed":
                event = ConsumedEvent.model_validate(data)
                self._consumed.add(_record_id(event))
                self._heard.append(Heard(event.order_id, event.outcome, exact_json.dumps(data)))
                if event.outcome == "applied":
                    self._settle(event)

    def _settle(self, event: ConsumedEvent) -> None:
        order = self._orders[event.value["orderId"]]
        change = _change(order, event.topic, event.value)
        self._orders[order.id] = order.model_copy(update=change)
        subject = event.value.get("refundId") or event.value["paymentId"]
        self._applied.add((event.topic, subject))

    def create(self, request: OrderRequest) -> tuple[Order, bool]:
        """The order, and whether it is new.

        Raises Refusal with 409 if the id belongs to an order created with other content.
        """
        created = self._created.get(request.id)
        if created is None:
            order = Order(**request.model_dump(by_alias=False))
            self.journal.append("order.created", order.model_dump())
            return order, True
        if not request.describes(created):
            raise Refusal(409, f"order {request.id} exists with other content: use a new id")
        return self._orders[request.id], False

    def find(self, order_id: str) -> Order:
        """Raises Refusal with 404."""
        order = self._orders.get(order_id)
        if order is None:
            raise Refusal(404, f"there is no order {order_id}: create it with POST /orders")
        return order

    def change(self, order_id: str, change: OrderChange) -> Order:
        order = self.find(order_id).model_copy(update={"status": change.status})
        self.journal.append("order.changed", order.model_dump())
        return order

    def consume(self, record: ConsumerRecord) -> None:
        """Let an event have its effect. A record that Kafka delivers again is passed over."""
        if _record_id(record) in self._consumed:
            return
        event = ConsumedEvent(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            key=record.key and _text(record.key),
            headers={name: _text(value) for name, value in record.headers},
            **self._judge(record),
        )
        self.journal.append("event.consumed", event.model_dump())

    def _judge(self, record: ConsumerRecord) -> dict[str, Any]:
        try:
            event = parse_event(record.topic, record.value)
        except ValueError as error:
            return {"value": _text(record.value), "outcome": "rejected", "reason": str(error)}
        value = loads_typed(record.value)
        order = self._orders.get(event.order_id)
        if order is None:
            return {"value": value, "outcome": "refused", "reason": "there is no such order"}
        if (record.topic, event.subject) in self._applied:
            return {"value": value, "outcome": "repeated"}
        if order.status not in _APPLIES_TO[record.topic]:
            return {"value": value, "outcome": "refused", "reason": f"the order is {order.status}"}
        return {"value": value, "outcome": "applied"}

    def heard(self, order_id: str | None = None, outcome: Outcome | None = None) -> list[bytes]:
        """The consumed events that match, as JSON, in the order they were consumed."""
        return [
            event.body
            for event in self._heard
            if order_id in (None, event.order_id) and outcome in (None, event.outcome)
        ]


def _change(order: Order, topic: str, event: dict[str, Any]) -> dict[str, Any]:
    """What an event that applies does to its order."""
    match topic:
        case names.TOPIC_SUCCEEDED:
            paid_at = datetime.fromisoformat(event["processedAt"])
            return {"status": "paid", "paid_at": paid_at, "payment_id": event["paymentId"]}
        case names.TOPIC_REFUNDED:
            return {"refunded_amount": (order.refunded_amount or 0) + Decimal(event["amount"])}
        case _:
            return {"status": "cancelled"}


def _record_id(record: ConsumerRecord | ConsumedEvent) -> tuple[str, int, int, int]:
    # The timestamp tells a record from one at the same offset before Kafka's data was wiped.
    return record.topic, record.partition, record.offset, record.timestamp


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
