"""Fakes of what the audit reads: each source is a list that a test fills."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx

from activities.adapters.gateway_ledger import HttpGatewayLedger
from activities.adapters.order_states import HttpOrderStates
from activities.audit_ports import EventRecords, FoundRecords, Record
from audit.books import Books
from audit.sources import Sources, read_books
from db.audit import AuditQueries, Unfinished, UnreadableRow
from domain.payment import Payment
from domain.refund import Refund


class FakeAuditQueries(AuditQueries):
    def __init__(self) -> None:
        self.payments: list[Payment] = []
        self.refunds: list[Refund] = []
        self.unreadable: list[UnreadableRow] = []
        self.completed_at: datetime | None = datetime.now(UTC)
        """When a round of the reconciliation was last completed."""
        self.failure: Exception | None = None
        """The error that the query for unfinished payments raises."""

    async def orders_since(self, moment: datetime) -> set[UUID]:
        created = {each.order_id for each in self.payments if each.created_at >= moment}
        ended = [each for each in self.refunds if each.processed_at and each.processed_at >= moment]
        return created | {each.order_id for each in ended}

    async def unfinished(self) -> Unfinished:
        if self.failure:
            raise self.failure
        unfinished = [each for each in self.payments if not each.is_final or each.is_unannounced]
        pending = [each for each in self.refunds if not each.is_final]
        ids = {each.id for each in unfinished} | {each.id for each in pending}
        orders = {each.order_id for each in unfinished} | {each.order_id for each in pending}
        return Unfinished(ids, orders)

    async def orders_of_payments(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        return {each.id: each.order_id for each in self.payments if each.id in ids}

    async def orders_of_refunds(self, ids: Collection[UUID]) -> dict[UUID, UUID]:
        return {each.id: each.order_id for each in self.refunds if each.id in ids}

    async def refunds_by_orders(self, orders: Collection[UUID]) -> dict[UUID, UUID]:
        return {each.id: each.order_id for each in self.refunds if each.order_id in orders}

    async def payments_of(self, orders: Collection[UUID]) -> Sequence[Payment | UnreadableRow]:
        rows: list[Payment | UnreadableRow] = [*self.payments, *self.unreadable]
        return [each for each in rows if each.order_id in orders]

    async def refunds_of(self, orders: Collection[UUID]) -> Sequence[Refund | UnreadableRow]:
        return [each for each in self.refunds if each.order_id in orders]

    async def statuses_of(self, _: Collection[UUID]) -> dict[UUID, list[str]]:
        return {}

    async def last_completed_round(self) -> datetime | None:
        return self.completed_at


class FakeEventRecords(EventRecords):
    """The records in Kafka, all of them recent."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_complete = True

    async def find(self, _: datetime, __: Collection[str]) -> FoundRecords:
        keys = {each.key for each in self.records}
        by_key = {key: [each for each in self.records if each.key == key] for key in keys}
        return FoundRecords(by_key, self.is_complete)


class FakeTemporal:
    """Workflow runs, and the result of each by its run id."""

    def __init__(self) -> None:
        self.runs: list[SimpleNamespace] = []
        self.results: dict[str, Any] = {}

    def list_workflows(self, _: str) -> AsyncIterator[SimpleNamespace]:
        async def listed() -> AsyncIterator[SimpleNamespace]:
            for each in self.runs:
                yield each

        return listed()

    def get_workflow_handle(self, _: str, *, run_id: str, **__: Any) -> Any:
        async def result(**_: Any) -> Any:
            found = self.results[run_id]
            if isinstance(found, Exception):
                raise found
            return found

        return SimpleNamespace(result=result)


@dataclass
class FakeSources:
    """All sources. The gateway and Ordering respond over HTTP, so they are read by the adapters."""

    database: FakeAuditQueries = field(default_factory=FakeAuditQueries)
    events: FakeEventRecords = field(default_factory=FakeEventRecords)
    temporal: FakeTemporal = field(default_factory=FakeTemporal)
    ledger: Any = field(default_factory=list)
    """The gateway's response to the first request for its ledger."""
    order: httpx.Response = field(default_factory=lambda: httpx.Response(200, json={}))
    """Ordering's response to every request."""

    async def audited(self, since: datetime, until: datetime) -> dict[UUID | None, Books]:
        """The books of each order, as the audit reads them."""
        temporal: Any = self.temporal
        async with _client(self._gateway) as gateway, _client(self._ordering) as ordering:
            ledger, orders = HttpGatewayLedger(gateway), HttpOrderStates(ordering)
            sources = Sources(self.database, ledger, orders, self.events, temporal)
            return {each.order_id: each async for each in read_books(sources, since, until)}

    def _gateway(self, request: httpx.Request) -> httpx.Response:
        is_first = request.url.params["after"] == "0"
        return httpx.Response(200, json=self.ledger if is_first or self.ledger == {} else [])

    def _ordering(self, _: httpx.Request) -> httpx.Response:
        return self.order


def _client(handler: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://source")
