"""Every kind of fault of the running system, as a context: the fault lasts as long as the block.

The name of a kind is written `postgres:killed`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
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
import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from audit.runs import EVERY_PAYMENT
from devstack.stack.errors import StackError
from devstack.stack.stack import NEIGHBOURS, SERVERS, Stack
from tests.proofs.chaos.links import Link

PROCESSES = (*SERVERS, *NEIGHBOURS, "worker", "api")
LINKED = ("api", "postgres", "valkey", "temporal", *NEIGHBOURS)
"""Not Kafka: it sends its own address to its clients, which then bypass the link."""
STRIPE = "stripe"
SLOW_SECONDS = 0.5
MAX_WORKFLOWS = 5
INJECT_SECONDS = 5
"""Time limit for injecting a fault through a server that may be down."""
RUNNING = f'{EVERY_PAYMENT} AND ExecutionStatus = "Running"'
BACKENDS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name IN ('payment-api', 'payment-worker')"""

Inject = Callable[[], AbstractAsyncContextManager[None]]


class Kind(NamedTuple):
    """A fault of one component. It lasts as long as the context of `inject`."""

    target: str
    manner: str
    inject: Inject

    def __str__(self) -> str:
        return f"{self.target}:{self.manner}"


@dataclass(frozen=True)
class RunningSystem:
    """The running system, and all that is needed to inject faults into it."""

    stack: Stack
    links: Mapping[str, Link]
    temporal: Client
    dice: Random
    gateway: str = "gateway"
    """The component of the gateway that payments are made at."""

    def kinds(self) -> list[Kind]:
        processes = at_gateway(PROCESSES, self.gateway)
        return [
            *(kind for name in processes for kind in self._kinds_of_process(name)),
            *(kind for name in self.links for kind in _kinds_of_link(name, self.links[name])),
            *(self._kinds_of_stripe() if self.gateway == STRIPE else ()),
            Kind("postgres", "backends terminated", self._backends_terminated),
            self.workflows_lost(),
            Kind("workflows", "cancelled", partial(self._workflows, WorkflowHandle.cancel)),
        ]

    def away(self, name: str, manner: str) -> Kind:
        """The fault that a process is killed or frozen."""
        [kind] = [each for each in self._kinds_of_process(name) if each.manner == manner]
        return kind

    def workflows_lost(self) -> Kind:
        """The fault that payments lose their workflow. Only the reconciliation resumes them."""
        return Kind("workflows", "terminated", partial(self._workflows, WorkflowHandle.terminate))

    def _kinds_of_process(self, name: str) -> Iterator[Kind]:
        yield Kind(name, "killed", partial(self._down, self.stack.kill, name))
        yield Kind(name, "stopped", partial(self._down, self.stack.stop, name))
        yield Kind(name, "frozen", partial(self._frozen, name))

    def _kinds_of_stripe(self) -> Iterator[Kind]:
        """Faults of Stripe itself."""
        for operation in ("create", "confirm", "capture", "cancel", "refund"):
            fault = {"operation": operation, "times": 3}
            for has_effect in (True, False):
                manner = f"500 saved for {operation}{'' if has_effect else ' without effect'}"
                body = {**fault, "hasEffect": has_effect}
                yield Kind(STRIPE, manner, partial(self._controlled, "POST", "/faults", body))
        forget = partial(self._controlled, "POST", "/keys/forget", {})
        yield Kind(STRIPE, "keys forgotten", forget)
        revoked = partial(self._controlled, "PUT", "/limits", {"isKeyRevoked": True}, {})
        yield Kind(STRIPE, "key revoked", revoked)
        limited = partial(self._controlled, "PUT", "/limits", {"requestsPerSecond": 2}, {})
        yield Kind(STRIPE, "few requests allowed", limited)

    @asynccontextmanager
    async def _controlled(
        self, method: str, path: str, body: object, afterwards: object = None
    ) -> AsyncIterator[None]:
        """Send `body` to the double. At the end of the block, send `afterwards` if it is not None.

        The second request is repeated until the double responds.
        """
        address = self.stack.environment()["STRIPE_URL"]
        async with httpx.AsyncClient(base_url=address, trust_env=False) as double:
            with suppress(httpx.HTTPError):
                await double.request(method, path, json=body)
            yield
            while afterwards is not None:
                with suppress(httpx.HTTPError):
                    await double.request(method, path, json=afterwards)
                    break
                await asyncio.sleep(1)

    async def restart(self, name: str) -> None:
        """Start a component with a new log. Tries again while something that it needs is down."""
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
        await self.restart(name)

    @asynccontextmanager
    async def _frozen(self, name: str) -> AsyncIterator[None]:
        self.stack.suspend(name)
        yield
        self.stack.resume(name)

    @asynccontextmanager
    async def _backends_terminated(self) -> AsyncIterator[None]:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with asyncio.timeout(INJECT_SECONDS):
                connection = await asyncpg.connect(self.stack.environment()["DATABASE_URL"])
                await connection.execute(BACKENDS)
                await connection.close()
        yield

    @asynccontextmanager
    async def _workflows(self, act: Callable[..., Awaitable[None]]) -> AsyncIterator[None]:
        with suppress(RPCError, TimeoutError):
            async with asyncio.timeout(INJECT_SECONDS):
                running = [each async for each in self.temporal.list_workflows(RUNNING)]
                for each in self.dice.sample(running, min(MAX_WORKFLOWS, len(running))):
                    handle = self.temporal.get_workflow_handle(each.id, run_id=each.run_id)
                    await act(handle)
        yield


def at_gateway(names: Sequence[str], gateway: str) -> tuple[str, ...]:
    """The names of components, with `gateway` in place of the simulator's."""
    return tuple(gateway if name == "gateway" else name for name in names)


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
