"""Reading the books where they are kept. Nothing here writes."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Coroutine, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import httpx
from aiokafka import AIOKafkaConsumer
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from audit.books import Books, Effect, Movement, OrderState, Record, Saga
from db.history import PaymentHistory
from domain import exact_json, names
from domain.money import Money
from domain.payment import Payment
from workflows.payment import PaymentWorkflow

AT_ONCE = 20
MOVEMENTS = {"charge.captured": Movement.CAPTURE, "refund.succeeded": Movement.REFUND}
EVERY_PAYMENT = f'WorkflowType = "{PaymentWorkflow.__name__}"'


class Sources(NamedTuple):
    """Where the books are kept."""

    history: PaymentHistory
    gateway: httpx.AsyncClient
    ordering: httpx.AsyncClient
    kafka: str
    temporal: Client


async def read_books(sources: Sources, since: datetime) -> Mapping[UUID, Books]:
    """The books of every order that was paid, or for which money moved, since then."""
    effects, records, sagas = await asyncio.gather(
        _read_ledger(sources.gateway, since),
        _read_records(sources.kafka),
        _read_sagas(sources.temporal),
    )
    # PostgreSQL last, so that it knows of everything that the other sources tell.
    orders = await sources.history.orders_since(since) | effects.keys()
    payments = await _read_payments(sources.history, orders)
    paths = await sources.history.paths_of(orders)
    books = {
        order_id: Books(
            order_id,
            payments=payments[order_id],
            transitions=paths,
            effects=effects.get(order_id, []),
            records=records[str(order_id)],
            sagas=sagas[names.workflow_id(order_id)],
        )
        for order_id in orders
    }
    await _in_parallel(_read_order(sources.ordering, each) for each in books.values())
    return books


async def _read_payments(
    history: PaymentHistory, orders: Collection[UUID]
) -> Mapping[UUID, list[Payment]]:
    payments = defaultdict(list)
    for payment in await history.payments_of(orders):
        payments[payment.order_id].append(payment)
    return payments


async def _read_ledger(gateway: httpx.AsyncClient, since: datetime) -> dict[UUID, list[Effect]]:
    """By order, all effects of those orders for which money moved since then."""
    entries = exact_json.loads((await _get(gateway, "/ledger")).content)
    effects: dict[UUID, list[Effect]] = defaultdict(list)
    owners: dict[str, UUID] = {}
    moved = set()
    for entry in entries:
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
    amount = Money.parse(data["amount"], data["currency"])
    return Effect(MOVEMENTS[entry["type"]], data.get("chargeKey", data["key"]), amount)


async def _read_records(servers: str) -> Mapping[str, list[Record]]:
    """By key, which is the order, every record of both topics up to now."""
    records = defaultdict(list)
    consumer = AIOKafkaConsumer(
        *(names.TOPIC_SUCCEEDED, names.TOPIC_FAILED),
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while [each for each, end in ends.items() if await consumer.position(each) < end]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                for each in batch:
                    event_id = dict(each.headers)["ce_id"].decode()
                    key = each.key.decode()
                    records[key].append(Record(event_id, each.topic, key, each.value))
    return records


async def _read_sagas(temporal: Client) -> Mapping[str, list[Saga]]:
    """By workflow id, every run that Temporal still remembers."""
    sagas = defaultdict(list)

    async def read(run: WorkflowExecution) -> None:
        sagas[run.id].append(await _saga(temporal, run))

    await _in_parallel([read(run) async for run in temporal.list_workflows(EVERY_PAYMENT)])
    return sagas


async def _saga(temporal: Client, run: WorkflowExecution) -> Saga:
    status = run.status.name.lower() if run.status else "unknown"
    if run.status is not WorkflowExecutionStatus.COMPLETED:
        return Saga(run.run_id, status, None)
    handle = temporal.get_workflow_handle_for(PaymentWorkflow.run, run.id, run_id=run.run_id)
    return Saga(run.run_id, status, await handle.result(follow_runs=False))


async def _read_order(ordering: httpx.AsyncClient, books: Books) -> None:
    answer = await ordering.get(f"/orders/{books.order_id}")
    if answer.is_success:
        order = answer.json()
        paid_by = order.get("paymentId")
        status = order.get("status") or order.get("state") or "unknown"
        books.order = OrderState(status, UUID(paid_by) if paid_by else None)


async def _get(client: httpx.AsyncClient, path: str) -> httpx.Response:
    return (await client.get(path)).raise_for_status()


async def _in_parallel(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def take_turns(read: Coroutine[Any, Any, None]) -> None:
        async with places:
            await read

    await asyncio.gather(*map(take_turns, reads))
