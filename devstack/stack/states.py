"""What can be told of a part while the stack starts, runs and stops."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What became of a part."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    UNNEEDED = "not needed"
    EXTERNAL = "not ours"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DOWN = "down"
    FAILED = "failed"


Progress = Callable[[str, State], None]
"""Called with a part's name and its new state."""


def silent(_part: str, _state: State) -> None:
    pass


@dataclass(frozen=True)
class Status:
    """One part as it is now. `uptime` is in seconds; it and `pid` are None unless it runs."""

    name: str
    title: str
    state: State
    pid: int | None
    address: str
    uptime: float | None
