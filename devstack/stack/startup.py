"""One start of a stack: components start in parallel, each after those that it depends on."""

import asyncio
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from devstack.stack.component import Component
from devstack.stack.errors import ComponentError, StackError
from devstack.stack.process import Process
from devstack.stack.states import Progress, State

PREPARE = "prepare"
"""The preparation: a process that creates tables, topics and search attributes, then ends.

The name is used like a component's, in `chosen` and in `depends_on`.
"""
PREPARE_MODULE = "workflows.prepare"

_PREPARE_DEPENDS_ON = frozenset({"postgres", "kafka", "temporal"})


@dataclass(frozen=True)
class Startup:
    """Starts the chosen components that are not running, and adds their names to `started`."""

    components: Mapping[str, Component]
    preparation: Process
    chosen: Collection[str]
    environment: Mapping[str, str]
    ephemeral: bool
    progress: Progress
    started: list[str] = field(default_factory=list)

    async def check_ports(self) -> None:
        """Raise StackError if another program listens on a port that a component needs."""
        down = (each for each in self._chosen_components() if not _is_running(each))
        conflicts = await asyncio.gather(*(each.port_conflicts() for each in down))
        if messages := [message for each in conflicts for message in each]:
            raise StackError("\n".join(messages))

    async def run(self) -> None:
        """Return when all chosen components are ready.

        Raises the ComponentError of the first one that fails; the starts under way are cancelled.
        """
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._in_order():
                    self.progress(name, State.WAITING)
                    earlier = [tasks[each] for each in self._dependencies(name) if each in tasks]
                    tasks[name] = group.create_task(self._bring_up(name, earlier))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _chosen_components(self) -> list[Component]:
        return [each for name, each in self.components.items() if name in self.chosen]

    def _in_order(self) -> list[str]:
        """The chosen names, each after the names that it depends on."""
        chosen = self._chosen_components()
        servers = [each.name for each in chosen if not each.depends_on]
        others = [each.name for each in chosen if each.depends_on]
        return [*servers, *([PREPARE] if PREPARE in self.chosen else []), *others]

    def _dependencies(self, name: str) -> Collection[str]:
        return _PREPARE_DEPENDS_ON if name == PREPARE else self.components[name].depends_on

    async def _bring_up(self, name: str, earlier: Collection[asyncio.Task[None]]) -> None:
        await asyncio.gather(*earlier)
        self.progress(name, State.STARTING)
        try:
            if name == PREPARE:
                state = await self._prepare()
            else:
                state = await self._start(self.components[name])
        except Exception:
            self.progress(name, State.FAILED)
            raise
        self.progress(name, state)

    async def _start(self, component: Component) -> State:
        if found := await self._find_ready(component):
            return found
        command = await component.command()
        self.started.append(component.name)
        variables = {**component.variables, **self._variables()}
        component.process.start(command, variables, ephemeral=self.ephemeral)
        await component.wait_until_ready()
        return State.READY

    async def _find_ready(self, component: Component) -> State | None:
        """Wait for a component that is external or already running; None if it must be started."""
        if component.site.is_external(component.name):
            await component.wait_until_ready()
            return State.EXTERNAL
        try:
            if component.process.pid:
                await component.wait_until_ready()
                return State.RUNNING
        except ComponentError:
            # If the process has ended in the meantime, it was being killed: start it again.
            if component.process.pid:
                raise
        return None

    async def _prepare(self) -> State:
        dependents = [each for each in self._chosen_components() if PREPARE in each.depends_on]
        if dependents and all(map(_is_running, dependents)):
            return State.UNNEEDED
        command = [sys.executable, "-m", PREPARE_MODULE]
        await self.preparation.run(command, self._variables())
        return State.READY

    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


def _is_running(component: Component) -> bool:
    return component.site.is_external(component.name) or component.process.pid is not None
