"""The simulation on Temporal's time-skipping server: the judge of the engine in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner

from tests.simulation.simulator import INTERCEPTORS, Simulator
from tests.workflow.conftest import server_time, time_skipping
from workflows.worker import build_worker, payment_activities

PATIENCE = timedelta(minutes=5)
"""Of this machine's time: an outage of a day takes ten seconds, and sixty on a busy machine."""
MANY = 1000
QUIET_READS = 5


class ServerClock:
    """The clock of a server, which leaps over the timers of runs that have ended, too."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def now(self) -> datetime:
        return await server_time(self._client)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[datetime]:
        await self._wait_until_quiet()
        await self._client.test_service.lock_time_skipping(LockTimeSkippingRequest())
        try:
            yield await self.now()
        finally:
            await self._client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())

    async def _wait_until_quiet(self) -> None:
        quiet, before = 0, await self.now()
        while quiet < QUIET_READS:
            now = await self.now()
            quiet = quiet + 1 if now - before < timedelta(minutes=1) else 0
            before = now


@asynccontextmanager
async def simulating_on_server(*, remembers: bool = True) -> AsyncIterator[Simulator]:
    """A worker that does not remember replays the history before every task, as a new one does."""
    async with time_skipping() as server:
        target = server.service_client.config.target_host
        client = await Client.connect(target, data_converter=pydantic_data_converter)
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        simulator = Simulator(client, ServerClock(client), PATIENCE)
        options = {
            "max_cached_workflows": MANY if remembers else 0,
            "graceful_shutdown_timeout": timedelta(0),
            "workflow_runner": UnsandboxedWorkflowRunner(),
            "interceptors": INTERCEPTORS,
        }
        async with build_worker(client, payment_activities(simulator.ports), **options):
            yield simulator
