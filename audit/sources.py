"""Reading the books where they are kept. Nothing here writes."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import httpx
from temporalio.client import Client

from audit.books import Books, Reconciliation, Record, WorkflowRun
from audit.ledger import Ledger, read_ledger
from audit.orders import read_order
from audit.parallel import in_parallel
from audit.records import topics
from audit.runs import read_runs
from audit.unfinished import leave_out_young
from db.audit import AuditQueries, UnreadableRow
from domain import names
from domain.payment import Payment
from domain.refund import Refund

PAGE = 1000
"""Orders whose books are in memory at the same time. Chosen, not measured."""
SOURCE_SECONDS = 600
"""How long one source, or one page of PostgreSQL or Ordering, may take to be read."""

Result = TypeVar("Result")


class UnreadableError(Exception):
    """A source does not answer, or not as it should: nothing can be said about the books."""


class Sources(NamedTuple):
    """Where the books are kept."""

    database: AuditQueries
    gateway: httpx.AsyncClient
    ordering: httpx.AsyncClient
    kafka: Mapping[str, Any]
    """How it is reached: what every client of aiokafka is given."""
    temporal: Client


async def read_books(
    sources: Sources, since: datetime, until: datetime | None = None
) -> AsyncIterator[Books]:
    """The books of every order about which anything was written since then or is unfinished.

    The service's own books come last. What is younger than `until` is left out.
    Raises UnreadableError, which names the source.
    """
    reader = _Reader(sources, since)
    await reader.read_all_but_rows()
    orders = iter(reader.orders)
    while page := list(islice(orders, PAGE)):
        for books in await reader.read_page(page):
            if until is not None:
                leave_out_young(books, until, reader.unfinished)
            if not books.is_empty:
                yield books
    own = await reader.own_books()
    if until is not None:
        leave_out_young(own, until, reader.unfinished)
    yield own


class _Reader:
    """First the sources that say which orders matter; PostgreSQL's rows and Ordering last.

    So PostgreSQL knows of everything that the others tell.
    """

    def __init__(self, sources: Sources, since: datetime) -> None:
        self.orders: set[UUID] = set()
        self.unfinished: set[UUID] = set()
        self._sources = sources
        self._since = since
        self._own = Books(None)
        self._ledger = Ledger()
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._has_every_event = True
        self._runs: dict[UUID, list[WorkflowRun]] = defaultdict(list)

    async def read_all_but_rows(self) -> None:
        await _reading("PostgreSQL", self._read_orders())
        await _reading("the gateway's ledger", self._read_ledger())
        await _reading("PostgreSQL", self._find_stray_effects())
        await _reading("Kafka", self._read_records())
        await _reading("Temporal", self._read_runs())

    async def read_page(self, orders: Sequence[UUID]) -> list[Books]:
        books = await _reading("PostgreSQL", self._read_rows(orders))
        reads = (self._read_order(each) for each in books)
        await _reading("Ordering", in_parallel(reads))
        return books

    async def own_books(self) -> Books:
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
        self._ledger = await read_ledger(self._sources.gateway, self._since)
        self._own.unreadable += self._ledger.unreadable
        self.orders |= self._ledger.moved

    async def _find_stray_effects(self) -> None:
        """A refund of a charge that the ledger lacks: its key may name a payment that we know."""
        payments = {names.payment_of(each.charge_key) for each in self._ledger.stray} - {None}
        orders = await self._sources.database.orders_of_payments(
            [each for each in payments if each]
        )
        for effect in self._ledger.stray:
            order_id = orders.get(names.payment_of(effect.charge_key) or UUID(int=0))
            if order_id is None:
                self._own.effects.append(effect)
            else:
                self._ledger.effects[order_id].append(effect)
                self.orders.add(order_id)

    async def _read_records(self) -> None:
        async with topics(self._sources.kafka) as opened:
            self._has_every_event = opened.has_everything
            self._records = await opened.by_key(self._since, set(map(str, self.orders)))
        for key, records in self._records.items():
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
                self._file(run, _order_of(workflow_id, run, refunds))

    def _file(self, run: WorkflowRun, order_id: UUID | None) -> None:
        if order_id is None:
            self._own.runs.append(run)
        else:
            self._runs[order_id].append(run)
            self.orders.add(order_id)

    async def _read_rows(self, orders: Sequence[UUID]) -> list[Books]:
        database = self._sources.database
        paths = await database.paths_of(orders)
        refunds = await database.refunds_of(orders)
        payments = await database.payments_of(orders)
        books = {order_id: self._books(order_id) for order_id in orders}
        for row in (*payments, *refunds):
            _file_row(books[row.order_id], row)
        for each in books.values():
            known = (payment.id for payment in each.payments if payment.id in paths)
            each.transitions = {payment_id: paths[payment_id] for payment_id in known}
        return list(books.values())

    def _books(self, order_id: UUID) -> Books:
        return Books(
            order_id,
            effects=self._ledger.effects.get(order_id, []),
            records=self._records.get(str(order_id), []),
            runs=self._runs.get(order_id, []),
            events_since=None if self._has_every_event else self._since,
        )

    async def _read_order(self, books: Books) -> None:
        assert books.order_id is not None
        try:
            books.order = await read_order(self._sources.ordering, books.order_id)
        except ValueError as error:
            books.unreadable.append(f"Ordering's answer about the order ({type(error).__name__})")


async def _reading(source: str, read: Awaitable[Result]) -> Result:
    """Whatever a source does, and in whatever way a library breaks on it, is said in one way."""
    try:
        async with asyncio.timeout(SOURCE_SECONDS):
            return await read
    except Exception as error:
        why = f"{source} cannot be read ({type(error).__name__}): see whether it is up."
        raise UnreadableError(why) from error


def _file_row(books: Books, row: Payment | Refund | UnreadableRow) -> None:
    if isinstance(row, Payment):
        books.payments.append(row)
    elif isinstance(row, Refund):
        books.refunds.append(row)
    else:
        books.unreadable.append(row.what)


def _order_of(workflow_id: str, run: WorkflowRun, refunds: Mapping[UUID, UUID]) -> UUID | None:
    """The order of a run: as its id says, else as it has ended."""
    if order_id := names.order_of(workflow_id):
        return order_id
    if order_id := refunds.get(names.refund_of(workflow_id) or UUID(int=0)):
        return order_id
    return run.result.order_id if run.result else None
