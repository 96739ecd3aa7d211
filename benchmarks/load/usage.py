"""What the processes of the system use: CPU time and memory, with their child processes."""

from collections.abc import Mapping
from contextlib import suppress

import psutil


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """The CPU time that each named process and its descendants have used so far."""
    return {name: sum(map(_cpu_seconds, _family(pid))) for name, pid in pids.items()}


def busy_seconds() -> float:
    """The CPU seconds that this machine's processors were busy since it started.

    They include the time that other virtual machines have taken from them (steal time).
    """
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def memory_bytes(pids: Mapping[str, int]) -> dict[str, int]:
    """The resident memory of each named process, without its descendants: they share some."""
    return {name: psutil.Process(pid).memory_info().rss for name, pid in pids.items()}


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        # Children that have ended count for their parent, such as PostgreSQL's of closed sessions.
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
