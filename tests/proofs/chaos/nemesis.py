"""Injects one fault after the other into the system, each kind equally often."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from devstack.stack.states import State
from tests.proofs.chaos import outages
from tests.proofs.chaos.faults import Kind, RunningSystem
from tests.proofs.chaos.outages import Outage

LASTS = (0.1, 3.0)
PAUSE = (0.0, 1.0)
"""Seconds, from and to."""
LOOKS_EVERY = 1.0
MAX_START_SECONDS = 10.0
"""The longest wait for a component to start. After this the next fault begins: a component cannot
start while a server that it needs is away."""


class PastFault(NamedTuple):
    """A fault that is over. Its times are of the monotonic clock."""

    kind: str
    began: float
    ended: float


@dataclass
class Nemesis:
    """Injects `faults_at_once` faults at a time, never two into the same component.

    The outages run beside them. A component that ends for another reason is started again.
    """

    system: RunningSystem
    kinds: Sequence[Kind]
    faults_at_once: int
    outages: Sequence[Outage] = ()
    past_faults: list[PastFault] = field(default_factory=list)
    past_outages: list[tuple[Outage, PastFault]] = field(default_factory=list)
    """The outages that are over. They are in `past_faults`, too."""
    crashed: list[str] = field(default_factory=list)
    """Components that ended without a fault."""
    outages_over: asyncio.Event = field(default_factory=asyncio.Event)
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """A lock for each component. A fault holds it as long as it lasts."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Inject faults until `stop` is called. When this returns, every fault is over."""
        kinds = self._every_kind_in_turn()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._restart_ended_components())
            group.create_task(self._run_outages())
            for _ in range(self.faults_at_once if self.kinds else 0):
                group.create_task(self._inject_in_turn(kinds, group))

    def stop(self) -> None:
        self._stopping.set()

    def _every_kind_in_turn(self) -> Iterator[Kind]:
        while True:
            yield from self.system.dice.sample(self.kinds, len(self.kinds))

    async def _inject_in_turn(self, kinds: Iterator[Kind], group: asyncio.TaskGroup) -> None:
        while not self._stopping.is_set():
            kind = next(kinds)
            if not self._locks[kind.target].locked():
                inject = group.create_task(self._inject(kind))
                await asyncio.wait([inject], timeout=MAX_START_SECONDS)
            await asyncio.sleep(self.system.dice.uniform(*PAUSE))

    async def _inject(self, kind: Kind) -> None:
        async with self._locks[kind.target]:
            began = time.monotonic()
            async with kind.inject():
                await asyncio.sleep(self.system.dice.uniform(*LASTS))
            self.past_faults.append(PastFault(str(kind), began, time.monotonic()))

    async def _run_outages(self) -> None:
        coming = iter(self.outages)
        async with asyncio.TaskGroup() as group:
            for _ in range(outages.AT_ONCE):
                group.create_task(self._run_in_turn(coming))
        self.outages_over.set()

    async def _run_in_turn(self, coming: Iterator[Outage]) -> None:
        for outage in coming:
            async with self._locks[outage.server]:
                await self._run_outage(outage)
            await asyncio.sleep(self.system.dice.uniform(*outages.PAUSE))

    async def _run_outage(self, outage: Outage) -> None:
        """Take the server away for a time. In the middle, some payments lose their workflow."""
        began = time.monotonic()
        async with self.system.away(outage.server, outage.manner).inject():
            await asyncio.sleep(outage.seconds / 2)
            if outage.server != "temporal":
                await self._inject(self.system.workflows_lost())
            await asyncio.sleep(outage.seconds / 2)
        fault = PastFault(str(outage), began, time.monotonic())
        self.past_faults.append(fault)
        self.past_outages.append((outage, fault))

    async def _restart_ended_components(self) -> None:
        while not self._stopping.is_set():
            for name in self._ended_components():
                self.crashed.append(name)
                async with self._locks[name]:
                    await self.system.restart(name)
            await asyncio.sleep(LOOKS_EVERY)

    def _ended_components(self) -> Sequence[str]:
        down = [each.name for each in self.system.stack.status() if each.state is State.DOWN]
        return [name for name in down if not self._locks[name].locked()]
