"""A client of the running system: it places orders, reserves seats, pays, and reads all records."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client
from temporalio.service import RPCError

from devstack.neighbours.decimal_json import loads_decimal
from devstack.stack.stack import Stack
from domain import exact_json, names
from domain.payment import UNANNOUNCED
from tests.support.topics import Event, Topics
from tests.support.waiting import eventually

JSON = {"content-type": "application/json"}
GATEWAY_AS_USUAL = {"latencyMs": 0, "successRate": 1, "holdsResponses": False}


@dataclass(frozen=True)
class Order:
    """An order as it was placed. Its status is None if Ordering does not have it."""

    id: str
    customer_id: str
    amount: Decimal
    currency: str
    status: str | None

    def request(self, **changes: Any) -> dict[str, Any]:
        """A valid payment request for the order, with these members changed."""
        return {
            "orderId": self.id,
            "customerId": self.customer_id,
            "amount": self.amount,
            "currency": self.currency,
            "paymentMethod": "credit_card",
            **changes,
        }


@dataclass(frozen=True)
class Answer:
    """A response of the API."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = loads_decimal(self.text)
        return body

    @property
    def payment(self) -> dict[str, Any]:
        """The payment in the response. Fails the test if there is none."""
        payment = self.body["payment"]
        assert payment is not None, self.text
        shown: dict[str, Any] = payment
        return shown


@dataclass(frozen=True)
class System:
    """The running system as tests use it. Every order is new, so tests do not affect each other."""

    stack: Stack
    api: httpx.AsyncClient
    neighbours: httpx.AsyncClient
    database: "asyncpg.Pool[asyncpg.Record]"
    topics: Topics
    temporal: Client

    def url(self, name: str) -> str:
        return self.stack.environment()[f"{name.upper()}_URL"]

    # Requests, and changes of the running system.

    async def an_order(self, amount: str = "150.00", **members: Any) -> Order:
        """A new order in Ordering. `members` may be `id`, `currency` or `status`."""
        order = replace(an_unknown_order(amount), status="pending")
        order = replace(order, **members)
        body = {"id": order.id, "customerId": order.customer_id, "totalAmount": order.amount}
        body |= {"currency": order.currency, "status": order.status}
        await self._send_json("POST", f"{self.url('ordering')}/orders", body)
        return order

    async def a_seat(self, order: Order, **members: Any) -> str:
        """Reserve a seat for the order; `members` change the request. Returns the id."""
        body = {"id": str(uuid4()), "orderId": order.id, "customerId": order.customer_id}
        await self._send_json("POST", f"{self.url('inventory')}/reservations", body | members)
        return body["id"]

    async def pay(self, order: Order, key: str | None = None, **changes: Any) -> Answer:
        """Post the order's payment request, with `key` as Idempotency-Key if it is given."""
        headers = {"idempotency-key": key} if key else {}
        return await self.post(exact_json.dumps(order.request(**changes)), **headers)

    async def refund(self, payment_id: str, amount: str | None, key: str) -> Answer:
        """Post a refund of the payment; of the whole amount if `amount` is None."""
        body = {} if amount is None else {"amount": Decimal(amount)}
        address = f"/payments/{payment_id}/refunds"
        return await self.post(exact_json.dumps(body), address, **{"idempotency-key": key})

    async def post(self, content: bytes, path: str = "/payments", **headers: str) -> Answer:
        return await self.send("POST", path, content=content, headers=JSON | headers)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        answer = await self.api.request(method, path, **options)
        return Answer(answer.status_code, answer.headers, answer.text)

    @asynccontextmanager
    async def gateway(self, **behaviour: Any) -> AsyncIterator[None]:
        """Change settings of the gateway simulator, and change them back after the block."""
        settings = f"{self.url('gateway')}/settings"
        await self._send_json("PUT", settings, behaviour)
        try:
            yield
        finally:
            await self._send_json("PUT", settings, GATEWAY_AS_USUAL)

    @asynccontextmanager
    async def without(self, *parts: str, killed: bool = False) -> AsyncIterator[None]:
        """Stop these components, or kill them, and start them again after the block."""
        end = self.stack.kill if killed else self.stack.stop
        await asyncio.gather(*map(end, parts))
        try:
            yield
        finally:
            await self.stack.up(parts)

    @contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """Suspend this component during the block: it accepts connections and does not respond."""
        self.stack.suspend(part)
        try:
            yield
        finally:
            self.stack.resume(part)

    # What the systems have recorded.

    async def rows(self, order: Order) -> list[dict[str, Any]]:
        query = "SELECT * FROM bc_payment.payments WHERE order_id = $1 ORDER BY created_at"
        return [dict(row) for row in await self.database.fetch(query, order.id)]

    async def transitions(self, payment_id: Any) -> list[str]:
        query = """SELECT to_status FROM bc_payment.payment_transitions
            WHERE payment_id = $1 ORDER BY recorded_at"""
        return [row["to_status"] for row in await self.database.fetch(query, payment_id)]

    async def charges(self, order: Order) -> list[dict[str, Any]]:
        return await self._get_list(f"{self.url('gateway')}/charges?orderId={order.id}")

    async def events(self, order: Order) -> list[Event]:
        """The order's records in Kafka. Waits until all of its events are published."""
        await self.until_published(order)
        return await self.topics.of(order.id)

    async def outcomes(self, order: Order) -> list[str]:
        """The outcome of each event of the order that Ordering consumed."""
        events = await self._get_list(f"{self.url('ordering')}/events?orderId={order.id}")
        return [each["outcome"] for each in events]

    async def ordered(self, order: Order) -> dict[str, Any] | None:
        """The order as Ordering has it; None if there is none."""
        answer = await self.neighbours.get(f"{self.url('ordering')}/orders/{order.id}")
        return None if answer.is_client_error else loads_decimal(answer.text)

    async def until_captured(self, order: Order) -> None:
        await eventually(f"the gateway has charged {order.id}", lambda: self.charges(order))

    async def until_announced(self, order: Order, announcement: str) -> None:
        """Wait until a payment of the order has succeeded, and its event is `begun` or `made`."""

        async def is_announced() -> bool:
            return ("succeeded", announcement) in [
                (row["status"], row["announcement"]) for row in await self.rows(order)
            ]

        what = f"the event of the success of {order.id} is {announcement}"
        await eventually(what, is_announced, seconds=60)

    async def until_published(self, order: Order) -> None:
        """Wait until every event of the order is published. Kafka may have been down before."""

        async def published() -> bool:
            return not any(row["announcement"] in UNANNOUNCED for row in await self.rows(order))

        await eventually(f"the events of {order.id} are published", published, seconds=60)

    async def until_ended(self, order: Order) -> None:
        """Wait for the end of the workflow. The API may respond before that."""
        await self.temporal.get_workflow_handle(names.workflow_id(UUID(order.id))).result()

    async def until_retried(self, order: Order, step: str) -> None:
        """Wait until this step of the order's payment has failed and is being tried again."""

        async def is_retried() -> bool:
            tries = {each.activity_type.name: each.attempt for each in await self._steps(order)}
            return tries.get(step, 0) > 1

        await eventually(f"{step} of {order.id} is tried again", is_retried, seconds=60)

    async def until_accepted(self, order: Order) -> Answer:
        """Repeat the payment request until the order is paid. Returns the last response."""

        async def accepted() -> Answer | None:
            answer = await self.pay(order)
            return answer if answer.status == HTTPStatus.OK else None

        return await eventually(f"order {order.id} can be paid", accepted)

    async def _steps(self, order: Order) -> Sequence[PendingActivityInfo]:
        workflow = self.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))
        try:
            return (await workflow.describe()).raw_description.pending_activities
        except RPCError:
            return ()  # it has not been started yet

    async def _get_list(self, url: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = loads_decimal((await self.neighbours.get(url)).text)
        return answer

    async def _send_json(self, method: str, url: str, body: dict[str, Any]) -> None:
        content = exact_json.dumps(body)
        answer = await self.neighbours.request(method, url, content=content, headers=JSON)
        answer.raise_for_status()


def an_unknown_order(amount: str = "150.00") -> Order:
    return Order(str(uuid4()), str(uuid4()), Decimal(amount), "USD", status=None)
