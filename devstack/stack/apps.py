"""The system's own processes: the three simulated neighbours, the worker, the API and the shop."""

import socket
import sys
from typing import ClassVar

from devstack.stack.failures import NotReady
from devstack.stack.part import Part, expect_ok
from devstack.stack.ports import HOST
from devstack.stack.temporal import ask
from domain.names import TASK_QUEUE


class _WebApp(Part):
    """Runs `python -m <module>` and answers `GET /health`."""

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
    # Not the preparation: nobody pays before it is done, and its start takes as long.
    needs = frozenset({"postgres", "valkey", "kafka", "temporal"})
    stop_seconds = 15.0

    async def wait_until_payable(self) -> None:
        """Wait until a payment would be accepted. Raises PartFailed when that takes too long."""
        await self.wait_for(lambda: expect_ok(self.ports[0], "/ready"))


class Worker(Part):
    """Ready when Temporal has heard from this very process, not from one before it."""

    name = "worker"
    title = "Worker"
    poll_seconds = 0.25  # each probe is a process
    needs = frozenset({"prepare"})
    stop_seconds = 30.0  # it completes running steps, which it gives 25 s

    @property
    def ports(self) -> tuple[int, ...]:
        return ()

    @property
    def address(self) -> str:
        return f"task queue {TASK_QUEUE}"

    async def command(self) -> list[str]:
        return [sys.executable, "-m", "workflows.worker"]

    async def probe(self) -> None:
        question = ("task-queue", "describe", "--task-queue", TASK_QUEUE)
        queue = await ask(self.site.environment(), *question)
        identity = f"{self.process.pid}@{socket.gethostname()}"
        if not any(poller["identity"] == identity for poller in queue["pollers"] or ()):
            raise NotReady(f"Temporal has not heard from {identity} yet")
