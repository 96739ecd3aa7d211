"""Measures one load on one version: the requests, and what all processes use meanwhile."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.load import client, usage
from benchmarks.load.figures import Result, summarize
from benchmarks.load.system import Service

TICK_SECONDS = 0.25
"""Pause between two reports of progress."""

Report = Callable[[float, int], None]
"""Called with the seconds since the load's beginning, and the number of responses so far."""


@dataclass(frozen=True)
class Plan:
    """A load: `callers` who each pay one order after the other, or `rate` payments a second."""

    seconds: float
    callers: int = 1
    rate: float | None = None

    def __str__(self) -> str:
        if self.rate is not None:
            return f"{self.rate:g} arrivals a second"
        return f"{self.callers} callers" if self.callers > 1 else "one caller"

    def run(self, load: client.Load) -> Coroutine[Any, Any, None]:
        if self.rate is not None:
            return load.open_loop(self.rate, self.seconds)
        return load.closed_loop(self.callers, self.seconds)


async def measure(service: Service, plan: Plan, report: Report) -> Result:
    """Run one load, wait until its payments have ended, and return its figures."""
    load, pids = client.Load(service.port), service.pids
    began, busy = time.monotonic(), usage.busy_seconds()
    own, before = time.process_time(), usage.cpu_seconds(pids)
    await _watched(load, plan, report)
    own = time.process_time() - own
    service.raise_if_ended()
    await service.system.until_idle()
    spent = {name: now - before[name] for name, now in usage.cpu_seconds(pids).items()}
    spent["load"] = own
    foreign = usage.busy_seconds() - busy - sum(spent.values())
    result = summarize(str(plan), plan.seconds, load.requests, spent, usage.memory_bytes(pids))
    return replace(result, foreign_cores=max(0.0, foreign / (time.monotonic() - began)))


async def _watched(load: client.Load, plan: Plan, report: Report) -> None:
    began = time.monotonic()
    running = asyncio.create_task(plan.run(load))
    try:
        while not running.done():
            report(time.monotonic() - began, len(load.requests))
            await asyncio.wait({running}, timeout=TICK_SECONDS)
        await running
    finally:
        running.cancel()
