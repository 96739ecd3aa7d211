"""One start of a stack: what begins at once, what waits for what, and what is left alone."""

import asyncio
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from devstack.failures import PartFailed, StackError
from devstack.part import Part
from devstack.process import Process
from devstack.states import Progress, State

PREPARE = "prepare"
PREPARATION = "workflows.prepare"
"""Not a part that stays: creates tables, topics and search attributes, and ends."""

_PREPARE_NEEDS = frozenset({"postgres", "kafka", "temporal"})


@dataclass(frozen=True)
class Start:
    """Brings up those of the chosen parts that are down. `begun` names what it has started."""

    parts: Mapping[str, Part]
    preparation: Process
    chosen: Collection[str]
    environment: Mapping[str, str]
    ephemeral: bool
    progress: Progress
    begun: list[str] = field(default_factory=list)

    async def check_ports(self) -> None:
        """Raise StackError if a stranger listens where a part of ours must."""
        down = (part for part in self._chosen_parts() if not _is_there(part))
        found = await asyncio.gather(*(part.port_obstacles() for part in down))
        if obstacles := [obstacle for each in found for obstacle in each]:
            raise StackError("\n".join(obstacles))

    async def run(self) -> None:
        """Return when all chosen parts serve. Raises PartFailed for the first that does not."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._in_order():
                    self.progress(name, State.WAITING)
                    needed = [tasks[need] for need in self._needs(name) if need in tasks]
                    tasks[name] = group.create_task(self._bring_up(name, needed))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _chosen_parts(self) -> list[Part]:
        return [part for name, part in self.parts.items() if name in self.chosen]

    def _in_order(self) -> list[str]:
        """Each after those that it needs."""
        servers = [part.name for part in self._chosen_parts() if not part.needs]
        others = [part.name for part in self._chosen_parts() if part.needs]
        return [*servers, *([PREPARE] if PREPARE in self.chosen else []), *others]

    def _needs(self, name: str) -> Collection[str]:
        return _PREPARE_NEEDS if name == PREPARE else self.parts[name].needs

    async def _bring_up(self, name: str, needed: Collection[asyncio.Task[None]]) -> None:
        await asyncio.gather(*needed)
        self.progress(name, State.STARTING)
        try:
            state = await (self._prepare() if name == PREPARE else self._start(self.parts[name]))
        except Exception:
            self.progress(name, State.FAILED)
            raise
        self.progress(name, state)

    async def _start(self, part: Part) -> State:
        if found := await self._find(part):
            return found
        command = await part.command()
        self.begun.append(part.name)
        part.process.start(command, self._variables(), ephemeral=self.ephemeral)
        await part.wait_until_ready()
        return State.READY

    async def _find(self, part: Part) -> State | None:
        """What serves already. A process that is just dying does not."""
        if part.site.is_external(part.name):
            await part.wait_until_ready()
            return State.EXTERNAL
        try:
            if part.process.pid:
                await part.wait_until_ready()
                return State.RUNNING
        except PartFailed:
            if part.process.pid:
                raise
        return None

    async def _prepare(self) -> State:
        dependents = [part for part in self._chosen_parts() if PREPARE in part.needs]
        if dependents and all(map(_is_there, dependents)):
            return State.UNNEEDED
        command = [sys.executable, "-m", PREPARATION]
        await self.preparation.run(command, self._variables())
        return State.READY

    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


def _is_there(part: Part) -> bool:
    return part.site.is_external(part.name) or part.process.pid is not None
