"""Counters of requests, each read where it is exact: from the servers and the lean neighbours.

PostgreSQL logs each statement, Temporal has metrics, Valkey reports each command to `MONITOR`,
Kafka's offsets count records, the neighbours count requests.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer

from benchmarks.load.system import Service, superuser_url
from devstack.stack.ports import HOST
from domain.names import TOPICS

STATEMENT = re.compile(
    rb"^payment-(?:api|worker)\|LOG:  (?:statement|execute [^:]*): ", re.MULTILINE
)
"""A statement of API or worker in PostgreSQL's log, with the log's prefix `%a|`."""
REQUEST = re.compile(
    r'^service_requests\{namespace="default",operation="(\w+)",service_name="frontend"\} (\d+)',
    re.MULTILINE,
)
"""A counter of Temporal's metrics: the operation, and how often it was requested."""
BACKGROUND = re.compile(
    r"Poll\w+Queue|Describe|GetSystem|GetCluster|List|Count|Heartbeat|Shutdown|Schedule"
)
"""Requests to Temporal that depend on time and not on payments, and those of this program."""
COMMAND = re.compile(rb'^\+[\d.]+ \[\d+ (?!lua\])[^\]]*\] "(\w+)"')
"""A command that a client sent, as `MONITOR` reports it; not one that a script executes."""
CONNECTING = {b"HELLO", b"AUTH", b"SELECT", b"CLIENT", b"PING"}
"""Commands of a new connection."""
METRICS_PORT = re.compile(r"Temporal Metrics: +http://[^:]+:(\d+)/")
SETTLE_SECONDS = 1.25
"""Time between two readings. If they are equal, they are final: Temporal updates its metrics every
second."""


class Totals(NamedTuple):
    """How much has been counted so far, in the order of the last members of `Costs`."""

    temporal_requests: int
    sql_statements: int
    http_requests: int
    kafka_records: int
    redis_commands: int

    def __sub__(self, earlier: "Totals") -> "Totals":
        return Totals(*(new - old for old, new in zip(earlier, self, strict=True)))


class Counters:
    """The counters of a system. `counting` makes them."""

    def __init__(self, service: Service) -> None:
        stack = service.system.stack
        self._system = service.system
        self._log = stack.log("postgres")
        self._redis_commands = 0
        port = METRICS_PORT.search(stack.log("temporal").read_text())
        assert port, "Temporal's development server says at its start where its metrics are"
        self._metrics = f"http://{HOST}:{port[1]}/metrics"
        self._counts = f"http://{HOST}:{stack.site.ports.gateway}/counts"

    async def settled(self) -> Totals:
        """The totals when no payment is running and the counters no longer change."""
        await self._system.until_idle()
        earlier, totals = None, await self._read()
        while totals != earlier:
            await asyncio.sleep(SETTLE_SECONDS)
            earlier, totals = totals, await self._read()
        return totals

    async def monitor(self, connected: asyncio.Event) -> None:
        """Count the commands that Redis gets, until cancelled. Sets `connected` once it counts."""
        reader, writer = await asyncio.open_connection(HOST, self._system.site.ports.valkey)
        try:
            writer.write(b"MONITOR\r\n")
            await reader.readline()
            connected.set()
            async for line in reader:
                command = COMMAND.match(line)
                self._redis_commands += bool(command and command[1].upper() not in CONNECTING)
        finally:
            writer.close()

    async def _read(self) -> Totals:
        async with httpx.AsyncClient(trust_env=False) as http:
            metrics = (await http.get(self._metrics)).text
            counts = (await http.get(self._counts)).json()
        return Totals(
            temporal_requests=count_requests(metrics),
            sql_statements=len(STATEMENT.findall(self._log.read_bytes())),
            http_requests=counts["requests"],
            kafka_records=await self._kafka_records(),
            redis_commands=self._redis_commands,
        )

    async def _kafka_records(self) -> int:
        servers = self._system.stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]
        async with AIOKafkaConsumer(*TOPICS, bootstrap_servers=servers) as consumer:
            return sum((await consumer.end_offsets(consumer.assignment())).values())


def count_requests(metrics: str) -> int:
    """The requests of API and worker to Temporal that payments cause, by Temporal's metrics."""
    return sum(
        int(count) for name, count in REQUEST.findall(metrics) if not BACKGROUND.search(name)
    )


@asynccontextmanager
async def counting(service: Service) -> AsyncIterator[Counters]:
    """The counters of the system. In the block, PostgreSQL logs every statement."""
    counters, connected = Counters(service), asyncio.Event()
    monitoring = asyncio.create_task(counters.monitor(connected))
    try:
        async with _logged_statements(service):
            await connected.wait()
            yield counters
    finally:
        monitoring.cancel()


@asynccontextmanager
async def _logged_statements(service: Service) -> AsyncIterator[None]:
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
