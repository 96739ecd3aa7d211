"""Striking the system with one fault after the other, of all kinds equally often."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from devstack.states import State
from tests.chaos.faults import Battlefield, Kind

LASTS = (0.1, 3.0)
PAUSE = (0.0, 1.0)
"""Seconds, from and to."""
LOOKS_EVERY = 1.0


class Struck(NamedTuple):
    """A fault that has been, from when to when, on the monotonic clock."""

    kind: str
    began: float
    ended: float


@dataclass
class Nemesis:
    """`hands` faults at once, never two of the same part; whatever dies otherwise is revived."""

    battlefield: Battlefield
    kinds: Sequence[Kind]
    hands: int
    struck: list[Struck] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Parts that ended without having been struck."""
    _under_fire: set[str] = field(default_factory=set)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def rage(self) -> None:
        """Strike until told to stop; on return every fault has ended."""
        deck = self._deal()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_after_the_dead())
            for _ in range(self.hands):
                group.create_task(self._strike_from(deck))

    def stop(self) -> None:
        self._stopping.set()

    def _deal(self) -> Iterator[Kind]:
        while True:
            yield from self.battlefield.dice.sample(self.kinds, len(self.kinds))

    async def _strike_from(self, deck: Iterator[Kind]) -> None:
        while not self._stopping.is_set():
            kind = next(deck)
            if kind.target not in self._under_fire:
                await self._strike(kind)
            await asyncio.sleep(self.battlefield.dice.uniform(*PAUSE))

    async def _strike(self, kind: Kind) -> None:
        self._under_fire.add(kind.target)
        began = time.monotonic()
        async with kind.strike():
            await asyncio.sleep(self.battlefield.dice.uniform(*LASTS))
        self.struck.append(Struck(str(kind), began, time.monotonic()))
        self._under_fire.discard(kind.target)

    async def _look_after_the_dead(self) -> None:
        while not self._stopping.is_set():
            for name in self._dead():
                self.died.append(name)
                self._under_fire.add(name)
                await self.battlefield.revive(name)
                self._under_fire.discard(name)
            await asyncio.sleep(LOOKS_EVERY)

    def _dead(self) -> Sequence[str]:
        down = [each.name for each in self.battlefield.stack.status() if each.state is State.DOWN]
        return [name for name in down if name not in self._under_fire]
