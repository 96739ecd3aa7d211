"""A system of its own to be measured: real servers, lean neighbours, and one version of ours."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM

import asyncpg
from temporalio.client import Client

from benchmarks.load.client import Load
from benchmarks.load.revision import Revision, temporal_settings
from benchmarks.load.rows import fill
from devstack.stack.apps import API, Worker
from devstack.stack.component import expect_ok
from devstack.stack.errors import ComponentError, NotReadyError
from devstack.stack.ports import HOST, Ports
from devstack.stack.process import Process
from devstack.stack.site import Site
from devstack.stack.stack import SERVERS, Stack
from domain.names import RECONCILIATION

SETTINGS = {"RATE_LIMIT": "100000000/day"}
"""All requests come from one address. A window of a day hardly ends during a measurement."""
IDLE_SECONDS = 120
"""How long to wait for payments that are still running after a load. Chosen, not measured."""
POLL_SECONDS = 0.25
START_SECONDS = 60
"""How long API and worker may take to make the first payment. Chosen, not measured."""
RUNNING = "ExecutionStatus = 'Running' AND WorkflowType IN ('PaymentWorkflow', 'RefundWorkflow')"


class NotIdleError(Exception):
    """Payments are still running, which would be measured with the next load."""


@dataclass(frozen=True)
class System:
    """Running servers and neighbours. `serving` adds API and worker of one version."""

    stack: Stack
    neighbours: Process
    temporal: Client

    @property
    def site(self) -> Site:
        return self.stack.site

    @asynccontextmanager
    async def serving(self, revision: Revision) -> AsyncIterator["Service"]:
        """Run this version, on a migrated database of its own, with its settings of Temporal.

        Its reconciliation is removed: it runs every minute, so by chance in one load and not in
        another. Raises ComponentError if the version does not start.
        """
        database = "load_" + "".join(filter(str.isalnum, revision.name))[:24]
        await self._configure_temporal(revision)
        service = Service(self, revision, await self._create_database(database))
        await service.prepare()
        if revision.payments:
            await fill(superuser_url(service.database_url, database), revision.payments)
        await self.temporal.get_schedule_handle(RECONCILIATION).delete()
        try:
            await service.start()
            yield service
        finally:
            await service.stop()

    async def _configure_temporal(self, revision: Revision) -> None:
        """Give Temporal the settings that it has in the revision's `make up`."""
        settings = temporal_settings(revision)
        if settings != self.stack.temporal.settings:
            self.stack.temporal.settings = settings
            await self.stack.restart("temporal")

    async def _create_database(self, name: str) -> str:
        """Create it if it is not there. Returns its URL."""
        own = self.stack.environment()["DATABASE_URL"]
        connection = await asyncpg.connect(superuser_url(own))
        try:
            await connection.execute(f"CREATE DATABASE {name} OWNER payments")
        except asyncpg.DuplicateDatabaseError:
            pass
        finally:
            await connection.close()
        return own.rpartition("/")[0] + f"/{name}"

    async def until_idle(self) -> None:
        """Return when no payment is running. Raises NotIdleError after IDLE_SECONDS."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                while (await self.temporal.count_workflows(RUNNING)).count:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            why = f"payments are still running {IDLE_SECONDS} s after a load: make it smaller"
            raise NotIdleError(why) from None


@dataclass
class Service:
    """API and worker of one version, and the database that they use."""

    system: System
    revision: Revision
    database_url: str
    _processes: dict[str, Process] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The port of the API."""
        return self.system.site.ports.api

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of each component that runs, by name."""
        ours = {**self._processes, "neighbours": self.system.neighbours}
        found = {
            **{each.name: each.pid for each in self.system.stack.status()},
            **{name: process.pid for name, process in ours.items()},
        }
        return {name: pid for name, pid in found.items() if pid}

    async def prepare(self) -> None:
        is_old = not (self.revision.tree / "workflows" / "prepare.py").exists()
        module = "bootstrap.prepare" if is_old else "workflows.prepare"
        await self._process("prepare").run(self._command(module), self._variables())

    async def start(self) -> None:
        """Return when a payment has succeeded."""
        for name, module in ((Worker.name, "workflows.worker"), (API.name, "api.main")):
            self._processes[name] = self._process(name)
            variables = {**self._variables(), **self._observed(name)}
            self._processes[name].start(self._command(module), variables, ephemeral=True)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._pays():
                    self.raise_if_ended()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            reason = f"no payment succeeded within {START_SECONDS} s"
            raise ComponentError(API.name, reason, self._processes[API.name].log) from None

    async def stop(self) -> None:
        await asyncio.gather(*(each.stop(SIGTERM, 30) for each in self._processes.values()))

    def raise_if_ended(self) -> None:
        """Raise ComponentError if API or worker no longer runs."""
        for name, process in self._processes.items():
            if process.pid is None:
                raise ComponentError(name, f"ended with code {process.exit_code}", process.log)

    async def _pays(self) -> bool:
        try:
            await expect_ok(self.port, "/health")
        except (OSError, NotReadyError):
            return False
        return (await Load(self.port).pay_once()).is_paid

    def _process(self, name: str) -> Process:
        return Process(self.system.site.directory, name, cwd=self.revision.tree)

    def _command(self, module: str) -> list[str]:
        return [str(self.revision.python), "-m", module]

    def _variables(self) -> dict[str, str]:
        environment = {**os.environ, **self.system.stack.environment(), **SETTINGS}
        return {**environment, "DATABASE_URL": self.database_url}

    def _observed(self, name: str) -> dict[str, str]:
        """The settings with which this process serves its metrics, or sends its traces.

        The neighbours accept the traces.
        """
        ports = self.system.site.ports
        if self.revision.observe == "metrics":
            port = ports.api_metrics if name == API.name else ports.worker_metrics
            return {"METRICS_ADDRESS": f"{HOST}:{port}"}
        if self.revision.observe == "traces":
            return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{ports.gateway}"}
        return {}


@asynccontextmanager
async def running(directory: Path, *, durable: bool = True) -> AsyncIterator[System]:
    """Servers and lean neighbours on free ports, with their files in `directory`."""
    stack = Stack(directory, Ports.free(), durable=durable, ephemeral=True)
    neighbours = Process(stack.site.directory, "neighbours")
    ports = stack.site.ports
    try:
        await stack.up(SERVERS)
        listening = map(str, (ports.ordering, ports.inventory, ports.gateway))
        command = [sys.executable, "-m", "benchmarks.neighbours", *listening]
        neighbours.start(command, os.environ, ephemeral=True)
        temporal = await Client.connect(stack.environment()["TEMPORAL_ADDRESS"])
        yield System(stack, neighbours, temporal)
    finally:
        await neighbours.kill()
        await stack.down()


def superuser_url(url: str, database: str = "postgres") -> str:
    """A database of the same server, as its superuser (`devstack/stack/postgres.py`)."""
    server = url.rpartition("/")[0].rpartition("@")[2]
    return f"postgresql://postgres:postgres@{server}/{database}"
