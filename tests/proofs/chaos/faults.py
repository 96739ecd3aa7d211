"""What can befall the running system: every kind of fault, as something that begins and ends.

A kind reads `postgres:killed`, as those of the enumeration read `charge:lost`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    suppress,
)
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

import asyncpg
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from audit.runs import EVERY_PAYMENT
from devstack.stack.errors import StackError
from devstack.stack.stack import NEIGHBOURS, SERVERS, Stack
from tests.proofs.chaos.links import Link

PROCESSES = (*SERVERS, *NEIGHBOURS, "worker", "api")
LINKED = ("api", "postgres", "valkey", "temporal", *NEIGHBOURS)
"""Kafka is missing: it tells its clients an address of its own."""
SLOW_SECONDS = 0.5
VICTIMS = 5
STRIKE_SECONDS = 5
"""How long a server that may be away is asked to strike."""
RUNNING = f'{EVERY_PAYMENT} AND ExecutionStatus = "Running"'
BACKENDS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name IN ('payment-api', 'payment-worker')"""

Strike = Callable[[], AbstractAsyncContextManager[None]]


class Kind(NamedTuple):
    """A fault of one part; it lasts as long as the context that `strike` gives."""

    target: str
    manner: str
    strike: Strike

    def __str__(self) -> str:
        return f"{self.target}:{self.manner}"


@dataclass(frozen=True)
class Battlefield:
    """The running system, and the handles by which it is struck."""

    stack: Stack
    links: Mapping[str, Link]
    temporal: Client
    dice: Random

    def kinds(self) -> list[Kind]:
        return [
            *(kind for name in PROCESSES for kind in self._kinds_of_process(name)),
            *(kind for name in LINKED for kind in _kinds_of_link(name, self.links[name])),
            Kind("postgres", "backends terminated", self._backends_terminated),
            self.workflows_lost(),
            Kind("workflows", "cancelled", partial(self._workflows, WorkflowHandle.cancel)),
        ]

    def away(self, name: str, manner: str) -> Kind:
        """A process that is killed or frozen, as long as the context lasts."""
        [kind] = [each for each in self._kinds_of_process(name) if each.manner == manner]
        return kind

    def workflows_lost(self) -> Kind:
        """Some payments under way lose their workflow: only the reconciliation can heal them."""
        return Kind("workflows", "terminated", partial(self._workflows, WorkflowHandle.terminate))

    def _kinds_of_process(self, name: str) -> Iterator[Kind]:
        yield Kind(name, "killed", partial(self._down, self.stack.kill, name))
        yield Kind(name, "stopped", partial(self._down, self.stack.stop, name))
        yield Kind(name, "frozen", partial(self._frozen, name))

    async def revive(self, name: str) -> None:
        """Start a part, which begins a new log; what it needs may be down as well."""
        log = self.stack.log(name)
        with suppress(FileNotFoundError):
            log.rename(log.with_suffix(f".{time.time():.0f}.log"))
        while True:
            with suppress(StackError):
                return await self.stack.up([name])
            await asyncio.sleep(1)

    @asynccontextmanager
    async def _down(self, end: Callable[[str], Awaitable[None]], name: str) -> AsyncIterator[None]:
        await end(name)
        yield
        await self.revive(name)

    @asynccontextmanager
    async def _frozen(self, name: str) -> AsyncIterator[None]:
        self.stack.suspend(name)
        yield
        self.stack.resume(name)

    @asynccontextmanager
    async def _backends_terminated(self) -> AsyncIterator[None]:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with asyncio.timeout(STRIKE_SECONDS):
                connection = await asyncpg.connect(self.stack.environment()["DATABASE_URL"])
                await connection.execute(BACKENDS)
                await connection.close()
        yield

    @asynccontextmanager
    async def _workflows(self, befall: Callable[..., Awaitable[None]]) -> AsyncIterator[None]:
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(STRIKE_SECONDS):
                running = [each async for each in self.temporal.list_workflows(RUNNING)]
                for each in self.dice.sample(running, min(VICTIMS, len(running))):
                    handle = self.temporal.get_workflow_handle(each.id, run_id=each.run_id)
                    await befall(handle)
        yield


def _kinds_of_link(name: str, link: Link) -> Iterator[Kind]:
    manners: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
        "cut": link.cut,
        "slowed": partial(link.slowed, SLOW_SECONDS),
        "stalled": link.stalled,
        "truncated": link.truncated,
    }
    for manner, begin in manners.items():
        yield Kind(name, f"link {manner}", partial(_during, begin))


@asynccontextmanager
async def _during(begin: Callable[[], AbstractContextManager[None]]) -> AsyncIterator[None]:
    with begin():
        yield
