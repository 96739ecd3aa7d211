"""Prometheus of the stack: it reads the metrics of API and worker, and evaluates the alerts."""

import asyncio
import json
from pathlib import Path

from devstack.stack import prometheus_program
from devstack.stack.component import Component, expect_ok
from devstack.stack.ports import HOST
from devstack.stack.process import ROOT

RULES = ROOT / "deploy" / "observability"
"""The directory with the rules, which are those of production."""
SCRAPE_SECONDS = 5
"""Time between two reads of the metrics. It is shorter than in production, so that a developer sees
a change soon. Chosen, not measured."""


class Prometheus(Component):
    """A stack has it only if it is in `Stack(optional=…)`. Then API and worker serve metrics."""

    name = "prometheus"
    title = "Prometheus"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.prometheus,)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.site.ports.prometheus}/alerts"

    async def command(self) -> list[str]:
        data = self.site.data / self.name
        data.mkdir(parents=True, exist_ok=True)
        configuration = data / "prometheus.yml"
        configuration.write_text(self._configuration())
        return [
            str(await asyncio.to_thread(_program)),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={data / 'series'}",
            f"--web.listen-address={HOST}:{self.site.ports.prometheus}",
            "--log.level=warn",
        ]

    async def probe(self) -> None:
        await expect_ok(self.site.ports.prometheus, "/-/ready")

    def _configuration(self) -> str:
        ports = self.site.ports
        jobs = {"payment-api": ports.api_metrics, "payment-worker": ports.worker_metrics}
        interval = f"{SCRAPE_SECONDS}s"
        # JSON, which is also YAML.
        return json.dumps(
            {
                "global": {"scrape_interval": interval, "evaluation_interval": interval},
                "rule_files": [str(RULES / "recording.yml"), str(RULES / "alerts.yml")],
                "scrape_configs": [
                    {"job_name": name, "static_configs": [{"targets": [f"{HOST}:{port}"]}]}
                    for name, port in jobs.items()
                ],
            }
        )


def _program() -> Path:
    """The program, which is downloaded first if it is missing. Raises ComponentError."""
    program = prometheus_program.directory() / "prometheus"
    if not program.exists():
        prometheus_program.unpack()
    return program
