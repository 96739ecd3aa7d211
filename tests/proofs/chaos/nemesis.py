"""Striking the system with one fault after the other, of all kinds equally often."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from devstack.stack.states import State
from tests.proofs.chaos import outages
from tests.proofs.chaos.faults import Battlefield, Kind
from tests.proofs.chaos.outages import Outage

LASTS = (0.1, 3.0)
PAUSE = (0.0, 1.0)
"""Seconds, from and to."""
LOOKS_EVERY = 1.0
HAND_SECONDS = 10.0
"""After this a hand goes on: a part that cannot start while its server is away holds up nobody."""


class Struck(NamedTuple):
    """A fault that has been, from when to when, on the monotonic clock."""

    kind: str
    began: float
    ended: float


@dataclass
class Nemesis:
    """`hands` faults at once, never two of the same part; whatever dies otherwise is revived.

    Besides, the outages come one after the other, some at the same time.
    """

    battlefield: Battlefield
    kinds: Sequence[Kind]
    hands: int
    outages: Sequence[Outage] = ()
    struck: list[Struck] = field(default_factory=list)
    suffered: list[tuple[Outage, Struck]] = field(default_factory=list)
    """The outages that have been, which are among `struck` too."""
    died: list[str] = field(default_factory=list)
    """Parts that ended without having been struck."""
    outages_over: asyncio.Event = field(default_factory=asyncio.Event)
    _turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """Of each part: held by the fault that it suffers."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def rage(self) -> None:
        """Strike until told to stop; on return every fault has ended."""
        deck = self._deal()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_after_the_dead())
            group.create_task(self._suffer_outages())
            for _ in range(self.hands if self.kinds else 0):
                group.create_task(self._strike_from(deck, group))

    def stop(self) -> None:
        self._stopping.set()

    def _deal(self) -> Iterator[Kind]:
        while True:
            yield from self.battlefield.dice.sample(self.kinds, len(self.kinds))

    async def _strike_from(self, deck: Iterator[Kind], group: asyncio.TaskGroup) -> None:
        while not self._stopping.is_set():
            kind = next(deck)
            if not self._turns[kind.target].locked():
                strike = group.create_task(self._strike(kind))
                await asyncio.wait([strike], timeout=HAND_SECONDS)
            await asyncio.sleep(self.battlefield.dice.uniform(*PAUSE))

    async def _strike(self, kind: Kind) -> None:
        async with self._turns[kind.target]:
            began = time.monotonic()
            async with kind.strike():
                await asyncio.sleep(self.battlefield.dice.uniform(*LASTS))
            self.struck.append(Struck(str(kind), began, time.monotonic()))

    async def _suffer_outages(self) -> None:
        coming = iter(self.outages)
        async with asyncio.TaskGroup() as group:
            for _ in range(outages.AT_ONCE):
                group.create_task(self._suffer_from(coming))
        self.outages_over.set()

    async def _suffer_from(self, coming: Iterator[Outage]) -> None:
        for outage in coming:
            async with self._turns[outage.server]:
                await self._suffer(outage)
            await asyncio.sleep(self.battlefield.dice.uniform(*outages.PAUSE))

    async def _suffer(self, outage: Outage) -> None:
        """The server is away; in the middle, some payments lose their workflow."""
        began = time.monotonic()
        async with self.battlefield.away(outage.server, outage.manner).strike():
            await asyncio.sleep(outage.seconds / 2)
            if outage.server != "temporal":
                await self._strike(self.battlefield.workflows_lost())
            await asyncio.sleep(outage.seconds / 2)
        struck = Struck(str(outage), began, time.monotonic())
        self.struck.append(struck)
        self.suffered.append((outage, struck))

    async def _look_after_the_dead(self) -> None:
        while not self._stopping.is_set():
            for name in self._dead():
                self.died.append(name)
                async with self._turns[name]:
                    await self.battlefield.revive(name)
            await asyncio.sleep(LOOKS_EVERY)

    def _dead(self) -> Sequence[str]:
        down = [each.name for each in self.battlefield.stack.status() if each.state is State.DOWN]
        return [name for name in down if not self._turns[name].locked()]
