"""The orders of the simulated Ordering, and what each consumed event changed in them."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from aiokafka import ConsumerRecord
from pydantic import Field

from devstack.neighbours.decimal_json import loads_decimal
from devstack.neighbours.journal import Journal
from devstack.neighbours.json_http import ApiError
from devstack.neighbours.json_models import Amount, JsonModel, UtcTime, UuidText
from devstack.neighbours.payment_events import parse_event
from devstack.neighbours.times import utc_now
from domain import exact_json, names
from domain.money import CurrencyCode

OrderStatus = Literal["draft", "pending", "paid", "fulfilled", "cancelled"]
Outcome = Literal["applied", "repeated", "refused", "rejected"]
"""applied: it changed its order; repeated: an equal event was applied before; refused: the order
does not exist or its status forbids the event; rejected: it does not follow its schema."""


class OrderRequest(JsonModel):
    id: UuidText = Field(default_factory=lambda: str(uuid4()))
    customer_id: UuidText
    currency: CurrencyCode = "USD"
    total_amount: Amount
    status: OrderStatus = "pending"


class OrderChange(JsonModel):
    status: OrderStatus


class Order(JsonModel):
    id: str
    customer_id: str
    total_amount: Decimal
    currency: str
    status: OrderStatus
    created_at: UtcTime = Field(default_factory=utc_now)
    paid_at: UtcTime | None = None
    payment_id: str | None = None
    refunded_amount: Decimal | None = None


class ConsumedEvent(JsonModel):
    """A record from Kafka with its outcome. `timestamp` is in milliseconds.

    `value` is the parsed JSON, or the text as it is if the event was rejected.
    """

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
        """The order id in the value; the key if the event was rejected: its value may be wrong."""
        order_id: str | None = self.key if self.outcome == "rejected" else self.value["orderId"]
        return order_id


_ALLOWED_STATUSES = {
    names.TOPIC_SUCCEEDED: {"pending"},
    names.TOPIC_FAILED: {"pending"},
    # Also pending: each topic is read on its own, so a refund may arrive before its payment.
    names.TOPIC_REFUNDED: {"pending", "paid", "fulfilled"},
}
"""By topic, the statuses of an order in which the event is applied."""


class _ListedEvent(NamedTuple):
    """A consumed event as JSON, with the values by which it can be searched."""

    order_id: str | None
    outcome: Outcome
    body: bytes


class OrderStore:
    """Orders by id. Payment events change the status of a pending order; refunds add up."""

    def __init__(self, path: Path) -> None:
        self._created: dict[str, Order] = {}
        self._orders: dict[str, Order] = {}
        self._applied: set[tuple[str, str]] = set()
        self._consumed: set[tuple[str, int, int, int]] = set()
        self._events: list[_ListedEvent] = []
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
                body = exact_json.dumps(data)
                self._events.append(_ListedEvent(event.order_id, event.outcome, body))
                if event.outcome == "applied":
                    self._change_order(event)

    def _change_order(self, event: ConsumedEvent) -> None:
        order = self._orders[event.value["orderId"]]
        values = _changed_values(order, event.topic, event.value)
        self._orders[order.id] = order.model_copy(update=values)
        event_subject = event.value.get("refundId") or event.value["paymentId"]
        self._applied.add((event.topic, event_subject))

    def create(self, request: OrderRequest) -> tuple[Order, bool]:
        """Create the order once. Returns it, and True if it is new.

        Raises ApiError with 409 if an order with this id was created with other content.
        """
        created = self._created.get(request.id)
        if created is None:
            order = Order(**request.model_dump(by_alias=False))
            self.journal.append("order.created", order.model_dump())
            return order, True
        if not request.matches(created):
            raise ApiError(409, f"order {request.id} exists with other content: use a new id")
        return self._orders[request.id], False

    def find(self, order_id: str) -> Order:
        """Raises ApiError with 404 if there is no such order."""
        order = self._orders.get(order_id)
        if order is None:
            raise ApiError(404, f"there is no order {order_id}: create it with POST /orders")
        return order

    def change(self, order_id: str, change: OrderChange) -> Order:
        """Set the status, whatever it was. Raises ApiError with 404 if there is no such order."""
        order = self.find(order_id).model_copy(update={"status": change.status})
        self.journal.append("order.changed", order.model_dump())
        return order

    def consume(self, record: ConsumerRecord) -> None:
        """Change the order as the event says, and note what was done.

        Kafka may deliver a record twice. The second one is ignored.
        """
        if _record_id(record) in self._consumed:
            return
        event = ConsumedEvent(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            key=record.key and _text(record.key),
            headers={name: _text(value) for name, value in record.headers},
            **self._evaluate(record),
        )
        self.journal.append("event.consumed", event.model_dump())

    def _evaluate(self, record: ConsumerRecord) -> dict[str, Any]:
        """The members `value`, `outcome` and `reason` of the consumed event."""
        try:
            event = parse_event(record.topic, record.value)
        except ValueError as error:
            return {"value": _text(record.value), "outcome": "rejected", "reason": str(error)}
        value = loads_decimal(record.value)
        order = self._orders.get(event.order_id)
        if order is None:
            return {"value": value, "outcome": "refused", "reason": "there is no such order"}
        if (record.topic, event.subject_id) in self._applied:
            return {"value": value, "outcome": "repeated"}
        if order.status not in _ALLOWED_STATUSES[record.topic]:
            return {"value": value, "outcome": "refused", "reason": f"the order is {order.status}"}
        return {"value": value, "outcome": "applied"}

    def events(self, order_id: str | None = None, outcome: Outcome | None = None) -> list[bytes]:
        """The consumed events of this order and outcome, or all, as JSON, oldest first."""
        return [
            event.body
            for event in self._events
            if order_id in (None, event.order_id) and outcome in (None, event.outcome)
        ]


def _changed_values(order: Order, topic: str, event: dict[str, Any]) -> dict[str, Any]:
    """The members of the order that an applied event changes."""
    match topic:
        case names.TOPIC_SUCCEEDED:
            paid_at = datetime.fromisoformat(event["processedAt"])
            return {"status": "paid", "paid_at": paid_at, "payment_id": event["paymentId"]}
        case names.TOPIC_REFUNDED:
            return {"refunded_amount": (order.refunded_amount or 0) + Decimal(event["amount"])}
        case _:
            return {"status": "cancelled"}


def _record_id(record: ConsumerRecord | ConsumedEvent) -> tuple[str, int, int, int]:
    # The timestamp is needed: when Kafka loses its data, it begins to count offsets from 0 again.
    return record.topic, record.partition, record.offset, record.timestamp


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
