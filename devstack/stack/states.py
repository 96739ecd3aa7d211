"""The state of a component, and the callback that reports a new state."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of one component. The values are printed by `python -m devstack`."""

    WAITING = "waiting"  # for the components that it depends on
    STARTING = "starting"
    READY = "ready"  # started by this call
    RUNNING = "running"  # started by an earlier call
    UNNEEDED = "not needed"  # the preparation was done by an earlier call
    EXTERNAL = "not ours"  # a server that the stack uses but did not start
    STOPPING = "stopping"
    STOPPED = "stopped"
    DOWN = "down"
    FAILED = "failed"


Progress = Callable[[str, State], None]
"""Called with a component's name and its new state."""


def ignore_progress(_component: str, _state: State) -> None:
    """Do nothing: for callers that show no progress."""


@dataclass(frozen=True)
class ComponentStatus:
    """A component at this moment. `pid` and `uptime` (seconds) are None if it has no process."""

    name: str
    title: str
    state: State
    pid: int | None
    address: str
    uptime: float | None
