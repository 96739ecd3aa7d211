"""Reading the books where they are kept. Nothing here writes."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Coroutine, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from audit.books import Books, Effect, Movement, OrderState, Record, Saga
from db.history import PaymentHistory
from domain import exact_json, names
from domain.errors import PaymentError
from domain.money import Money
from domain.payment import Payment
from domain.refund import Refund
from workflows.payment import PaymentWorkflow
from workflows.refund import RefundWorkflow

AT_ONCE = 20
ORDERS_AT_ONCE = 1000
SECONDS = 600
"""How long one source may take to be read."""
FAILURES = (httpx.HTTPError, KafkaError, RPCError, PaymentError, OSError, TimeoutError, ValueError)
MOVEMENTS = {"charge.captured": Movement.CAPTURE, "refund.succeeded": Movement.REFUND}
EVERY_PAYMENT = f'WorkflowType = "{PaymentWorkflow.__name__}"'
EVERY_REFUND = f'WorkflowType = "{RefundWorkflow.__name__}"'
ENDINGS = {PaymentWorkflow.__name__: Payment, RefundWorkflow.__name__: Refund}

Result = TypeVar("Result")


class UnreadableError(Exception):
    """A source does not answer, or not as it should: nothing can be said about the books."""


class Sources(NamedTuple):
    """Where the books are kept."""

    history: PaymentHistory
    gateway: httpx.AsyncClient
    ordering: httpx.AsyncClient
    kafka: Mapping[str, Any]
    """How it is reached: what every client of aiokafka is given."""
    temporal: Client


async def read_books(sources: Sources, since: datetime) -> Mapping[UUID, Books]:
    """The books of every order that was paid, or for which money moved, since then.

    Raises UnreadableError, which names the source.
    """
    effects, records, sagas = await asyncio.gather(
        _reading("the gateway's ledger", _read_ledger(sources.gateway, since)),
        _reading("Kafka", read_records(sources.kafka)),
        _reading("Temporal", _read_sagas(sources.temporal)),
    )
    # PostgreSQL last, so that it knows of everything that the other sources tell.
    books = await _reading("PostgreSQL", _read_payments(sources.history, since, effects.keys()))
    for order_id, each in books.items():
        each.effects = effects.get(order_id, [])
        each.records = records[str(order_id)]
        each.sagas = sagas[names.workflow_id(order_id)]
        for refund in each.refunds:
            each.sagas += sagas[names.refund_workflow_id(refund.id)]
    orders = (_read_order(sources.ordering, each) for each in books.values())
    await _reading("Ordering", _in_parallel(orders))
    return books


async def _reading(source: str, read: Awaitable[Result]) -> Result:
    try:
        async with asyncio.timeout(SECONDS):
            return await read
    except FAILURES as error:
        why = f"{source} cannot be read ({type(error).__name__}): see whether it is up."
        raise UnreadableError(why) from error


async def _read_payments(
    history: PaymentHistory, since: datetime, moved: AbstractSet[UUID]
) -> dict[UUID, Books]:
    orders = list(await history.orders_since(since) | moved)
    books = {order_id: Books(order_id) for order_id in orders}
    for first in range(0, len(orders), ORDERS_AT_ONCE):
        some = orders[first : first + ORDERS_AT_ONCE]
        for payment in await history.payments_of(some):
            books[payment.order_id].payments.append(payment)
        for refund in await history.refunds_of(some):
            books[refund.order_id].refunds.append(refund)
        paths = await history.paths_of(some)
        for order_id in some:
            books[order_id].transitions = paths
    return books


async def _read_ledger(gateway: httpx.AsyncClient, since: datetime) -> dict[UUID, list[Effect]]:
    """By order, all effects of those orders for which money moved since then."""
    answer = (await gateway.get("/ledger")).raise_for_status()
    effects: dict[UUID, list[Effect]] = defaultdict(list)
    owners: dict[str, UUID] = {}
    moved = set()
    for entry in exact_json.loads(answer.content):
        if entry["type"] not in MOVEMENTS:
            continue
        effect = _effect(entry)
        if effect.movement is Movement.CAPTURE:
            owners[effect.charge_key] = UUID(entry["data"]["orderId"])
        owner = owners[effect.charge_key]
        effects[owner].append(effect)
        if datetime.fromisoformat(entry["at"]) >= since:
            moved.add(owner)
    return {owner: effects[owner] for owner in moved}


def _effect(entry: dict[str, Any]) -> Effect:
    data = entry["data"]
    amount = Money.read(data["amount"], data["currency"])
    key = data["key"]
    return Effect(MOVEMENTS[entry["type"]], key, data.get("chargeKey", key), amount)


async def read_records(connection: Mapping[str, Any]) -> Mapping[str, list[Record]]:
    """By key, which is the order, every record of all topics up to now."""
    records = defaultdict(list)
    consumer = AIOKafkaConsumer(
        *names.TOPICS,
        **connection,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    )
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while [each for each, end in ends.items() if await consumer.position(each) < end]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                for each in batch:
                    records[_text(each.key)].append(_record(each))
    return records


def _record(found: Any) -> Record:
    event_id = _text(dict(found.headers).get("ce_id"))
    return Record(event_id, found.topic, _text(found.key), found.value or b"")


def _text(found: bytes | None) -> str:
    """Whatever others may have written there."""
    return (found or b"").decode(errors="replace")


async def _read_sagas(temporal: Client) -> Mapping[str, list[Saga]]:
    """By workflow id, every run that Temporal still remembers."""
    sagas = defaultdict(list)

    async def read(run: WorkflowExecution) -> None:
        sagas[run.id].append(await _saga(temporal, run))

    every = f"{EVERY_PAYMENT} OR {EVERY_REFUND}"
    await _in_parallel([read(run) async for run in temporal.list_workflows(every)])
    return sagas


async def _saga(temporal: Client, run: WorkflowExecution) -> Saga:
    status = run.status.name.lower() if run.status else "unknown"
    if run.status is not WorkflowExecutionStatus.COMPLETED:
        return Saga(run.run_id, status, None)
    handle: WorkflowHandle[Any, Payment | Refund] = temporal.get_workflow_handle(
        run.id, run_id=run.run_id, result_type=ENDINGS[run.workflow_type]
    )
    return Saga(run.run_id, status, await handle.result(follow_runs=False))


async def _read_order(ordering: httpx.AsyncClient, books: Books) -> None:
    answer = await ordering.get(f"/orders/{books.order_id}")
    if answer.is_success:
        order = answer.json()
        paid_by = order.get("paymentId")
        status = order.get("status") or order.get("state") or "unknown"
        books.order = OrderState(status, UUID(paid_by) if paid_by else None)


async def _in_parallel(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def take_turns(read: Coroutine[Any, Any, None]) -> None:
        async with places:
            await read

    await asyncio.gather(*map(take_turns, reads))
