"""What one payment costs, as counts that are the same on every machine.

The servers count: PostgreSQL in its log, Temporal in its metrics, Valkey in its `INFO`, Kafka by
its offsets, the lean neighbours by themselves. So every version of the service can be counted.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from benchmarks.load.system import Service, superuser_url
from benchmarks.neighbours import CUSTOMER, DECLINED
from devstack.stack.ports import HOST
from domain import names

VERSION_MARKER = "core_patch"
"""The name of the marker with which the SDK records a version of the workflow code."""
CHANGE_VERSION = "TemporalChangeVersion"
"""The search attribute that the SDK sets with each such marker."""
_STATEMENT = re.compile(
    rb"^payment-(?:api|worker)\|LOG:  (?:statement|execute [^:]*): ", re.MULTILINE
)
_METRICS_PORT = re.compile(r"Temporal Metrics: +http://[^:]+:(\d+)/")
_REQUESTS = re.compile(
    r'^service_requests\{namespace="default",operation="(\w+)",service_name="frontend"\} (\d+)',
    re.MULTILINE,
)
_BACKGROUND = re.compile("Poll|Describe|Get(System|Cluster)|List|Count|Heartbeat|Shutdown|Schedule")
"""Requests to Temporal that depend on time and not on payments. Those of this module are also
among them, except GetWorkflowExecutionHistory, which is counted before they are made."""
_COMMAND = re.compile(rb"^cmdstat_([\w|]+):calls=(\d+)", re.MULTILINE)
_CONNECTING = {b"info", b"hello", b"auth", b"select", b"client|setinfo", b"ping", b"script|load"}
_SETTLE_SECONDS = 0.25
"""Two equal readings of all counters at this distance are final. Chosen, not measured."""
_WARM_UP = 3
"""Payments of each kind before one is counted: they open connections and load scripts."""


@dataclass(frozen=True)
class Costs:
    """What one payment, or one refund, costs."""

    workflow_tasks: int
    history_events: int
    version_events: int
    """How many of these events only record versions of the workflow code."""
    temporal_requests: int
    """Requests of API and worker to Temporal, without polls."""
    sql_statements: int
    """Statements of API and worker, without the empty ones that test a connection."""
    http_requests: int
    """Requests to Ordering, Inventory and the gateway."""
    kafka_records: int
    redis_commands: int
    """Also those that a script of the rate limit executes."""


class _Totals(NamedTuple):
    """All that the servers have counted so far, in the order of the members of `Costs`."""

    temporal: int
    sql: int
    http: int
    kafka: int
    redis: int


class _Payer:
    """Makes one payment of a kind, and returns the id of its workflow."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def succeed(self) -> str:
        return await self._pay(uuid4(), 200)

    async def succeed_with_reservation(self) -> str:
        return await self._pay(uuid4(), 200, reservationId=str(uuid4()))

    async def decline(self) -> str:
        return await self._pay(UUID(DECLINED + str(uuid4())[len(DECLINED) :]), 422)

    async def refund(self, payment_id: str) -> str:
        """Refund a payment completely."""
        key = str(uuid4())
        response = await self._http.post(
            f"/payments/{payment_id}/refunds", json={}, headers={"idempotency-key": key}
        )
        response.raise_for_status()
        return names.refund_workflow_id(names.refund_id(UUID(payment_id), key))

    async def a_payment(self) -> str:
        """Make a payment. Returns its id."""
        response = await self._http.post("/payments", json=_body(uuid4()))
        return str(response.json()["payment"]["id"])

    async def _pay(self, order: UUID, status: int, **members: str) -> str:
        response = await self._http.post("/payments", json=_body(order) | members)
        if response.status_code != status:
            raise RuntimeError(f"{response.status_code} instead of {status}: {response.text}")
        return names.workflow_id(order)


def _body(order: UUID) -> dict[str, object]:
    return {"orderId": str(order), "customerId": CUSTOMER, "amount": 150}


async def read_costs(service: Service) -> Mapping[str, Costs]:
    """Make payments of each kind, and return what the last one of each costs."""
    async with (
        _logged_statements(service),
        httpx.AsyncClient(
            base_url=f"http://{HOST}:{service.port}", trust_env=False, timeout=60
        ) as http,
    ):
        payer, counters = _Payer(http), _Counters(service)
        found = {}
        for kind in ("success", "success with a reservation", "decline", "refund"):
            for _ in range(_WARM_UP):
                await _make(payer, kind, await payer.a_payment() if kind == "refund" else "")
            payment_id = await payer.a_payment() if kind == "refund" else ""
            before = await counters.settled()
            workflow_id = await _make(payer, kind, payment_id)
            after = await counters.settled()
            spent = _Totals(*(new - old for old, new in zip(before, after, strict=True)))
            found[kind] = Costs(*await _read_history(service, workflow_id), *spent)
    return found


async def _make(payer: _Payer, kind: str, payment_id: str) -> str:
    match kind:
        case "success":
            return await payer.succeed()
        case "decline":
            return await payer.decline()
        case "refund":
            return await payer.refund(payment_id)
    return await payer.succeed_with_reservation()


async def _read_history(service: Service, workflow_id: str) -> tuple[int, int, int]:
    """The first three members of `Costs`."""
    handle = service.system.temporal.get_workflow_handle(workflow_id)
    events = (await handle.fetch_history()).events
    tasks = [each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for each in events]
    return sum(tasks), len(events), sum(map(_is_of_a_version, events))


def _is_of_a_version(event: HistoryEvent) -> bool:
    if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
        return event.marker_recorded_event_attributes.marker_name == VERSION_MARKER
    attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    return CHANGE_VERSION in attributes.indexed_fields


class _Counters:
    """Reads the counters of all servers."""

    def __init__(self, service: Service) -> None:
        stack = service.system.stack
        self._system = service.system
        self._ports = stack.site.ports
        self._log = stack.log("postgres")
        found = _METRICS_PORT.search(stack.log("temporal").read_text())
        assert found, "Temporal's server says at its start where its metrics are"
        self._metrics = f"http://{HOST}:{found[1]}/metrics"

    async def settled(self) -> _Totals:
        """The counters when no payment runs and they no longer change."""
        await self._system.until_idle()
        earlier, totals = None, await self._read()
        while totals != earlier:
            await asyncio.sleep(_SETTLE_SECONDS)
            earlier, totals = totals, await self._read()
        return totals

    async def _read(self) -> _Totals:
        async with httpx.AsyncClient(trust_env=False) as http:
            metrics = (await http.get(self._metrics)).text
            counts = (await http.get(f"http://{HOST}:{self._ports.gateway}/counts")).json()
        requests = _REQUESTS.findall(metrics)
        return _Totals(
            temporal=sum(int(count) for name, count in requests if not _BACKGROUND.search(name)),
            sql=len(_STATEMENT.findall(self._log.read_bytes())),
            http=counts["requests"],
            kafka=await self._kafka_records(),
            redis=await self._redis_commands(),
        )

    async def _kafka_records(self) -> int:
        servers = self._system.stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]
        async with AIOKafkaConsumer(*names.TOPICS, bootstrap_servers=servers) as consumer:
            return sum((await consumer.end_offsets(consumer.assignment())).values())

    async def _redis_commands(self) -> int:
        reader, writer = await asyncio.open_connection(HOST, self._ports.valkey)
        try:
            writer.write(b"INFO commandstats\r\n")
            size = int((await reader.readline()).removeprefix(b"$"))
            commands = _COMMAND.findall(await reader.readexactly(size))
        finally:
            writer.close()
        return sum(int(calls) for name, calls in commands if name not in _CONNECTING)


@asynccontextmanager
async def _logged_statements(service: Service) -> AsyncIterator[None]:
    """In the block, PostgreSQL logs every statement with the name of its process."""
    connection = await asyncpg.connect(superuser_url(service.database_url))
    try:
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("ALTER SYSTEM SET log_line_prefix = '%a|'")
        await connection.execute("SELECT pg_reload_conf()")
        yield
    finally:
        await connection.execute("ALTER SYSTEM RESET ALL")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()
