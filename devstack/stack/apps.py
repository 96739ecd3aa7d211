"""The components that run our own Python code: the neighbours, the worker, the API, the shop."""

import socket
import sys
from collections.abc import Mapping
from typing import ClassVar

from devstack.stack.component import Component, expect_ok
from devstack.stack.errors import NotReadyError
from devstack.stack.ports import HOST
from devstack.stack.temporal import run_temporal_command
from domain.names import TASK_QUEUE


class _WebApp(Component):
    """Runs `python -m <module>`; it is ready when `GET /health` returns 200."""

    module: ClassVar[str]

    @property
    def ports(self) -> tuple[int, ...]:
        return (getattr(self.site.ports, self.name),)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.ports[0]}"

    async def command(self) -> list[str]:
        return [sys.executable, "-m", self.module]

    async def probe(self) -> None:
        await expect_ok(self.ports[0], "/health")


class Gateway(_WebApp):
    name = "gateway"
    title = "Gateway"
    module = "devstack.neighbours.gateway"


class Stripe(_WebApp):
    """The Stripe-shaped gateway. A stack has it only if it is in `Stack(optional=…)`."""

    name = "stripe"
    title = "Stripe double"
    module = "devstack.neighbours.stripe"


class Ordering(_WebApp):
    name = "ordering"
    title = "Ordering"
    module = "devstack.neighbours.ordering"


class Inventory(_WebApp):
    name = "inventory"
    title = "Inventory"
    module = "devstack.neighbours.inventory"


class Shop(_WebApp):
    name = "shop"
    title = "Shop"
    module = "devstack.demo.shop"

    @property
    def address(self) -> str:
        return self.site.environment()["SHOP_URL"]


class API(_WebApp):
    name = "api"
    title = "Payment API"
    module = "api.main"
    # It does not depend on the preparation, so that both start together. `up` waits for both, and
    # no payment is made before it returns.
    depends_on = frozenset({"postgres", "valkey", "kafka", "temporal"})
    stop_timeout_seconds = 15.0
    """Time for running requests to end. Chosen, not measured."""

    @property
    def variables(self) -> Mapping[str, str]:
        return self.site.metrics_at(self.site.ports.api_metrics)

    async def wait_until_payments_are_accepted(self) -> None:
        """Wait until `GET /ready` returns 200. Raises ComponentError if that takes too long."""
        await self.wait_for(lambda: expect_ok(self.ports[0], "/ready"))


class Worker(Component):
    """Ready when Temporal knows this process as a poller of the task queue."""

    name = "worker"
    title = "Worker"
    probe_interval_seconds = 0.25
    """Each probe starts a process, so it is made less often. Chosen, not measured."""
    depends_on = frozenset({"prepare"})
    stop_timeout_seconds = 50.0
    """More than the 45 s that the worker gives its running steps to complete."""

    @property
    def ports(self) -> tuple[int, ...]:
        return ()

    @property
    def variables(self) -> Mapping[str, str]:
        return self.site.metrics_at(self.site.ports.worker_metrics)

    @property
    def address(self) -> str:
        return f"task queue {TASK_QUEUE}"

    async def command(self) -> list[str]:
        return [sys.executable, "-m", "workflows.worker"]

    async def probe(self) -> None:
        arguments = ("task-queue", "describe", "--task-queue", TASK_QUEUE)
        queue = await run_temporal_command(self.site.environment(), *arguments)
        # With the pid: Temporal still lists a worker that has just ended.
        identity = f"{self.process.pid}@{socket.gethostname()}"
        if not any(poller["identity"] == identity for poller in queue["pollers"] or ()):
            raise NotReadyError(f"Temporal has no poller {identity} yet")
