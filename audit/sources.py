"""Reads the books of every order from where they are kept. Nothing here writes."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple, TypeVar
from uuid import UUID

from temporalio.client import Client

from activities.audit_ports import EventRecords, FoundRecords, GatewayLedger, OrderStates
from audit.books import Books, Reconciliation, WorkflowRun
from audit.ledger import Ledger, group_by_order
from audit.parallel import in_parallel
from audit.runs import read_runs
from audit.unfinished import leave_out_young
from db.audit import AuditQueries, UnreadableRow
from domain import names
from domain.payment import Payment
from domain.refund import Refund

BATCH_SIZE = 1000
"""Orders whose books are in memory at the same time. Chosen, not measured."""
SOURCE_TIMEOUT_SECONDS = 600
"""Time limit for reading one source, or one batch from PostgreSQL or Ordering. Chosen, not
measured."""

Result = TypeVar("Result")


class UnreadableError(Exception):
    """A source cannot be read, so the audit cannot say whether the books agree."""


class Sources(NamedTuple):
    """Where the books are kept."""

    database: AuditQueries
    ledger: GatewayLedger
    ordering: OrderStates
    events: EventRecords
    temporal: Client


async def read_books(
    sources: Sources, since: datetime, until: datetime | None = None
) -> AsyncIterator[Books]:
    """The books of every order that is unfinished or has an entry in any source from `since` on.

    The service's own books, which belong to no order, come last. Payments and refunds that were
    created or ended at `until` or later are left out. Raises UnreadableError, which names the
    source.
    """
    reader = _Reader(sources, since)
    await reader.find_orders()
    orders = iter(reader.orders)
    while batch := list(islice(orders, BATCH_SIZE)):
        for books in await reader.read_batch(batch):
            if until is not None:
                leave_out_young(books, until, reader.unfinished)
            if not books.is_empty:
                yield books
    own = await reader.own_books()
    if until is not None:
        leave_out_young(own, until, reader.unfinished)
    yield own


class _Reader:
    """Finds the orders to compare in every source, then reads their rows and Ordering.

    The rows are read after the ledger, Kafka and Temporal: PostgreSQL then has a row for everything
    that those sources have.
    """

    def __init__(self, sources: Sources, since: datetime) -> None:
        self.orders: set[UUID] = set()
        self.unfinished: set[UUID] = set()
        """Payments and refunds that were unfinished when the audit began to read."""
        self._sources = sources
        self._since = since
        self._own = Books(None)
        self._ledger = Ledger()
        self._records = FoundRecords({}, is_complete=True)
        self._runs: dict[UUID, list[WorkflowRun]] = defaultdict(list)

    async def find_orders(self) -> None:
        await _reading("PostgreSQL", self._read_orders())
        await _reading("the gateway's ledger", self._read_ledger())
        await _reading("PostgreSQL", self._assign_refunds_without_capture())
        await _reading("Kafka", self._read_records())
        await _reading("Temporal", self._read_runs())

    async def read_batch(self, orders: Sequence[UUID]) -> list[Books]:
        books = await _reading("PostgreSQL", self._read_rows(orders))
        reads = (self._read_order(each) for each in books)
        await _reading("Ordering", in_parallel(reads))
        return books

    async def own_books(self) -> Books:
        """The last round of the reconciliation, and everything that belongs to no known order."""
        database = self._sources.database
        completed_at = await _reading("PostgreSQL", database.last_completed_round())
        self._own.reconciliation = Reconciliation(completed_at, datetime.now(UTC))
        return self._own

    async def _read_orders(self) -> None:
        database = self._sources.database
        unfinished = await database.unfinished()
        self.unfinished = unfinished.ids
        self.orders = unfinished.orders | await database.orders_since(self._since)

    async def _read_ledger(self) -> None:
        entries = [entry async for entry in self._sources.ledger.entries()]
        self._ledger = group_by_order(entries, self._since)
        self._own.unreadable += self._ledger.unreadable
        self.orders |= self._ledger.recent_orders

    async def _assign_refunds_without_capture(self) -> None:
        """Find the order of each refund by the payment that is named in the key of its charge.

        A refund of no known payment goes to the service's own books.
        """
        effects = self._ledger.without_capture
        payments = {names.payment_of(each.charge_key) for each in effects} - {None}
        known = [each for each in payments if each]
        orders = await self._sources.database.orders_of_payments(known)
        for effect in effects:
            order_id = orders.get(names.payment_of(effect.charge_key) or UUID(int=0))
            if order_id is None:
                self._own.effects.append(effect)
            else:
                self._ledger.effects[order_id].append(effect)
                self.orders.add(order_id)

    async def _read_records(self) -> None:
        wanted = set(map(str, self.orders))
        self._records = await self._sources.events.find(self._since, wanted)
        for key, records in self._records.by_key.items():
            if (order_id := names.parsed_id(key)) is None:
                self._own.records += records
            else:
                self.orders.add(order_id)

    async def _read_runs(self) -> None:
        database = self._sources.database
        refunds = await database.refunds_by_orders(self.orders)
        wanted = {names.workflow_id(each) for each in self.orders}
        wanted |= {names.refund_workflow_id(each) for each in refunds}
        by_workflow = await read_runs(self._sources.temporal, self._since, wanted)
        refund_ids = {names.refund_of(each) for each in by_workflow} - {None}
        refunds |= await database.orders_of_refunds([each for each in refund_ids if each])
        for workflow_id, runs in by_workflow.items():
            for run in runs:
                self._add_run(run, _order_of(workflow_id, run, refunds))

    def _add_run(self, run: WorkflowRun, order_id: UUID | None) -> None:
        if order_id is None:
            self._own.runs.append(run)
        else:
            self._runs[order_id].append(run)
            self.orders.add(order_id)

    async def _read_rows(self, orders: Sequence[UUID]) -> list[Books]:
        database = self._sources.database
        statuses = await database.statuses_of(orders)
        refunds = await database.refunds_of(orders)
        payments = await database.payments_of(orders)
        books = {order_id: self._books(order_id) for order_id in orders}
        for row in (*payments, *refunds):
            _add_row(books[row.order_id], row)
        for each in books.values():
            known = (payment.id for payment in each.payments if payment.id in statuses)
            each.transitions = {payment_id: statuses[payment_id] for payment_id in known}
        return list(books.values())

    def _books(self, order_id: UUID) -> Books:
        return Books(
            order_id,
            effects=self._ledger.effects.get(order_id, []),
            records=list(self._records.by_key.get(str(order_id), ())),
            runs=self._runs.get(order_id, []),
            events_since=None if self._records.is_complete else self._since,
        )

    async def _read_order(self, books: Books) -> None:
        assert books.order_id is not None
        try:
            books.order = await self._sources.ordering.find(books.order_id)
        except ValueError as error:
            what = f"Ordering's response about the order ({type(error).__name__})"
            books.unreadable.append(what)


async def _reading(source: str, read: Awaitable[Result]) -> Result:
    """The result of `read`. Raises UnreadableError for every error of the source or its library."""
    try:
        async with asyncio.timeout(SOURCE_TIMEOUT_SECONDS):
            return await read
    except Exception as error:
        why = f"{source} cannot be read ({type(error).__name__}): check that it is running."
        raise UnreadableError(why) from error


def _add_row(books: Books, row: Payment | Refund | UnreadableRow) -> None:
    if isinstance(row, Payment):
        books.payments.append(row)
    elif isinstance(row, Refund):
        books.refunds.append(row)
    else:
        books.unreadable.append(row.finding)


def _order_of(workflow_id: str, run: WorkflowRun, refunds: Mapping[UUID, UUID]) -> UUID | None:
    """The order of a run: by its workflow id, or else by its result."""
    if order_id := names.order_of(workflow_id):
        return order_id
    if order_id := refunds.get(names.refund_of(workflow_id) or UUID(int=0)):
        return order_id
    return run.result.order_id if run.result else None
