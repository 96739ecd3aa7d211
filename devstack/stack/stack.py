"""The whole system on one machine: start it, stop it, break it, look at it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from devstack.stack.apps import API, Gateway, Inventory, Ordering, Shop, Worker
from devstack.stack.kafka import Kafka
from devstack.stack.part import Part
from devstack.stack.ports import Ports
from devstack.stack.postgres import PostgreSQL
from devstack.stack.process import Process
from devstack.stack.site import SERVER_VARIABLES, Site
from devstack.stack.start import PREPARE, Start
from devstack.stack.states import Progress, State, Status, silent
from devstack.stack.temporal import Temporal
from devstack.stack.valkey import Valkey

SERVERS = ("postgres", "valkey", "kafka", "temporal")
NEIGHBOURS = ("gateway", "ordering", "inventory")
PARTS = (*SERVERS, PREPARE, *NEIGHBOURS, "worker", "api", "shop")

_STOP_ORDER = (("shop",), ("api",), ("worker",), NEIGHBOURS, SERVERS)


class Stack:
    """One set of servers, neighbours, worker, API and shop, found again by its directory.

    `external` may name servers to use instead of our own: DATABASE_URL, REDIS_URL,
    KAFKA_BOOTSTRAP_SERVERS, TEMPORAL_ADDRESS. Without `durable`, PostgreSQL loses data when the
    machine crashes, and starts faster. What an `ephemeral` stack starts on Linux, the kernel ends
    together with the thread that started it; other stacks outlive this object.
    """

    def __init__(
        self,
        directory: Path,
        ports: Ports | None = None,
        *,
        external: Mapping[str, str] | None = None,
        durable: bool = True,
        ephemeral: bool = False,
    ) -> None:
        site = Site(directory.resolve(), ports or Ports(), external or {}, durable)
        self.site = site
        self._ephemeral = ephemeral
        self._settings: Mapping[str, str] = {}
        self._api = API(site)
        servers = (PostgreSQL(site), Valkey(site), Kafka(site), Temporal(site))
        neighbours = (Gateway(site), Ordering(site), Inventory(site))
        self._parts: dict[str, Part] = {
            part.name: part for part in (*servers, *neighbours, Worker(site), self._api, Shop(site))
        }
        self._preparation = Process(site.directory, PREPARE)

    def environment(self) -> dict[str, str]:
        """What the apps and the tests need to know, as environment variables."""
        return self.site.environment()

    async def up(
        self,
        parts: Collection[str] = PARTS,
        *,
        environment: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        """Start those of the parts that are down, and return when all of them serve.

        `environment` is given to the processes on top of `environment()`, and by later calls too
        unless they give another. Raises StackError, and then whatever this call has started is
        stopped again.
        """
        if environment is not None:
            self._settings = environment
        settings = {**self.environment(), **self._settings}
        start = Start(self._parts, self._preparation, parts, settings, self._ephemeral, progress)
        await start.check_ports()
        self.site.write_environment()
        try:
            await start.run()
            if set(parts) == set(PARTS):
                await self._api.wait_until_payable()
        except BaseException:
            await self._stop(start.begun, silent)
            raise

    async def down(self, *, progress: Progress = silent) -> None:
        """Stop everything, in the order in which nothing misses what it needs."""
        await self._stop(self._parts, progress)

    async def stop(self, name: str) -> None:
        """Stop one part as kindly as `down` does."""
        await self._stop([name], silent)

    async def kill(self, name: str) -> None:
        """End one part with SIGKILL."""
        await self._parts[name].process.kill()

    def freeze(self, name: str) -> None:
        """Suspend one part with SIGSTOP: its connections stay open, and nothing answers."""
        self._parts[name].process.suspend()

    def thaw(self, name: str) -> None:
        self._parts[name].process.resume()

    async def restart(self, name: str, *, environment: Mapping[str, str] | None = None) -> None:
        """Stop one part and start it again. Raises StackError."""
        await self.stop(name)
        await self.up([name], environment=environment)

    def status(self) -> list[Status]:
        return [_status(part) for part in self._parts.values()]

    def log(self, name: str) -> Path:
        """The output of a part's present run; that of the run before is in `<name>.log.1`."""
        return self._preparation.log if name == PREPARE else self._parts[name].process.log

    async def _stop(self, names: Iterable[str], progress: Progress) -> None:
        chosen = set(names)
        for stage in _STOP_ORDER:
            parts = [self._parts[name] for name in stage if name in chosen]
            await asyncio.gather(*(_stop(part, progress) for part in parts))


async def _stop(part: Part, progress: Progress) -> None:
    if part.process.pid:
        progress(part.name, State.STOPPING)
        await part.process.stop(part.stop_signal, part.stop_seconds)
        progress(part.name, State.STOPPED)


def _status(part: Part) -> Status:
    pid, uptime = part.process.pid, part.process.uptime
    if part.site.is_external(part.name):
        # By its variable, because the address may hold a password.
        where = f"${SERVER_VARIABLES[part.name]}"
        return Status(part.name, part.title, State.EXTERNAL, pid, where, uptime)
    state = State.RUNNING if pid else State.DOWN
    return Status(part.name, part.title, state, pid, part.address, uptime)
