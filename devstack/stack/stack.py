"""The whole system on one machine: start, stop, kill or suspend its components, list them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from devstack.stack.apps import API, Gateway, Inventory, Ordering, Shop, Stripe, Worker
from devstack.stack.component import Component
from devstack.stack.kafka import Kafka
from devstack.stack.ports import Ports
from devstack.stack.postgres import PostgreSQL
from devstack.stack.process import Process
from devstack.stack.prometheus import Prometheus
from devstack.stack.site import SERVER_VARIABLES, Site
from devstack.stack.startup import PREPARE, Startup
from devstack.stack.states import ComponentStatus, Progress, State, ignore_progress
from devstack.stack.temporal import Temporal
from devstack.stack.valkey import Valkey

SERVERS = ("postgres", "valkey", "kafka", "temporal")
NEIGHBOURS = ("gateway", "ordering", "inventory")
COMPONENTS = (*SERVERS, PREPARE, *NEIGHBOURS, "worker", "api", "shop")
OPTIONAL = ("stripe", "prometheus")
"""Components that a stack has only if they are named in its argument `optional`."""

_STOP_ORDER = (("shop",), ("api",), ("worker",), (*NEIGHBOURS, *OPTIONAL), SERVERS)
"""Each group is stopped in parallel, and after the components that use it."""


class Stack:
    """The servers, neighbours, worker, API and shop that keep their files in one directory.

    A second Stack object of the same directory finds the processes that the first one started.

    `external` may name servers to use instead of our own: DATABASE_URL, REDIS_URL,
    KAFKA_BOOTSTRAP_SERVERS, TEMPORAL_ADDRESS. If not `durable`, PostgreSQL starts faster and may
    lose data when the machine crashes. If `ephemeral`, the kernel (Linux only) kills the processes
    when the thread that started them ends; otherwise they stay when this program ends. `optional`
    names the components of OPTIONAL that the stack has.
    """

    def __init__(
        self,
        directory: Path,
        ports: Ports | None = None,
        *,
        external: Mapping[str, str] | None = None,
        durable: bool = True,
        ephemeral: bool = False,
        optional: Collection[str] = (),
    ) -> None:
        site = Site(directory.resolve(), ports or Ports(), external or {}, durable, optional)
        self.site = site
        self._ephemeral = ephemeral
        self._settings: Mapping[str, str] = {}
        self.temporal = Temporal(site)
        self._api = API(site)
        servers = (PostgreSQL(site), Valkey(site), Kafka(site), self.temporal)
        neighbours = (Gateway(site), Ordering(site), Inventory(site))
        apps = (Worker(site), self._api, Shop(site))
        components = (*servers, *neighbours, *apps, Stripe(site), Prometheus(site))
        self._components: dict[str, Component] = {
            each.name: each for each in components if each.name in {*COMPONENTS, *optional}
        }
        self._preparation = Process(site.directory, PREPARE)

    def environment(self) -> dict[str, str]:
        """The environment variables that the apps and the tests need."""
        return self.site.environment()

    async def up(
        self,
        components: Collection[str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        progress: Progress = ignore_progress,
    ) -> None:
        """Start the components that are not running; return when they are ready. None means all.

        The processes get `environment` in addition to `environment()`. It is kept for later calls,
        until one of them passes another. Raises StackError after it has stopped what this call had
        started.
        """
        if environment is not None:
            self._settings = environment
        components = (PREPARE, *self._components) if components is None else components
        variables = {**self.environment(), **self._settings}
        startup = Startup(
            self._components, self._preparation, components, variables, self._ephemeral, progress
        )
        await startup.check_ports()
        self.site.write_environment()
        try:
            await startup.run()
            if set(components) >= set(COMPONENTS):
                await self._api.wait_until_payments_are_accepted()
        except BaseException:
            await self._stop(startup.started, ignore_progress)
            raise

    async def down(self, *, progress: Progress = ignore_progress) -> None:
        """Stop all components, each after those that use it."""
        await self._stop(self._components, progress)

    async def stop(self, name: str) -> None:
        """Stop one component with its stop signal, as `down` does."""
        await self._stop([name], ignore_progress)

    async def kill(self, name: str) -> None:
        """End one component with SIGKILL."""
        await self._components[name].process.kill()

    def suspend(self, name: str) -> None:
        """Pause one component with SIGSTOP: its connections stay open, and it does not respond."""
        self._components[name].process.suspend()

    def resume(self, name: str) -> None:
        """Let a suspended component continue."""
        self._components[name].process.resume()

    async def restart(self, name: str, *, environment: Mapping[str, str] | None = None) -> None:
        """Stop one component and start it again. `environment` and errors are as in `up`."""
        await self.stop(name)
        await self.up([name], environment=environment)

    def status(self) -> list[ComponentStatus]:
        """The state of every component now. Reads pid files only; nothing is probed."""
        return [_status(each) for each in self._components.values()]

    def log(self, name: str) -> Path:
        """The log of a component's latest run. That of the run before is `<name>.log.1`."""
        return self._preparation.log if name == PREPARE else self._components[name].process.log

    async def _stop(self, names: Iterable[str], progress: Progress) -> None:
        chosen = set(names)
        for group in _STOP_ORDER:
            components = [self._components[name] for name in group if name in chosen]
            await asyncio.gather(*(_stop(each, progress) for each in components))


async def _stop(component: Component, progress: Progress) -> None:
    if component.process.pid:
        progress(component.name, State.STOPPING)
        await component.process.stop(component.stop_signal, component.stop_timeout_seconds)
        progress(component.name, State.STOPPED)


def _status(component: Component) -> ComponentStatus:
    name, title = component.name, component.title
    pid, uptime = component.process.pid, component.process.uptime
    if component.site.is_external(name):
        # The variable's name and not its value: the address may hold a password.
        return ComponentStatus(
            name, title, State.EXTERNAL, pid, f"${SERVER_VARIABLES[name]}", uptime
        )
    state = State.RUNNING if pid else State.DOWN
    return ComponentStatus(name, title, state, pid, component.address, uptime)
