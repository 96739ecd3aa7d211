"""The simulation on Temporal's time-skipping server. The in-process engine is compared with it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowHandle,
)
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.proofs.simulation.simulator import INTERCEPTORS, Simulator
from tests.proofs.simulation.world import OUTAGES, FaultyWorld
from tests.support.sandbox import SANDBOX
from tests.support.time_skipping import server_time, time_skipping
from workflows.worker import build_worker, payment_activities

PATIENCE = timedelta(minutes=5)
"""Real seconds for one case. An outage of 25 hours takes 10, and 60 on a busy machine."""
LONGEST_RUN = timedelta(minutes=20)
"""Longer than any run without an outage of hours, and shorter than `SOON`."""
MANY = 1000
QUIET_READS = 5


class ShortRuns(Interceptor):
    """Gives runs a time limit, unless the case has an outage of hours.

    When a run ends, the server's clock leaps over the timers that it has left. The last of them
    would be the limit of ten years that a run has by default: every payment would count as too old
    to be charged once a workflow was lost.
    """

    def __init__(self, worlds: Mapping[str, FaultyWorld]) -> None:
        self.worlds = worlds

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        return _ShortRuns(next, self.worlds)


class _ShortRuns(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, worlds: Mapping[str, FaultyWorld]) -> None:
        super().__init__(following)
        self._worlds = worlds

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        kinds = {fault.kind for fault in self._worlds[input.id].case.faults}
        if not kinds & set(OUTAGES):
            input.run_timeout = LONGEST_RUN
        return await self.next.start_workflow(input)


class ServerClock:
    """The clock of the server. It also skips to timers of runs that have ended."""

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
    """A simulator. Unless it `remembers`, the worker replays before every workflow task."""
    async with time_skipping() as server:
        target = server.service_client.config.target_host
        worlds: dict[str, FaultyWorld] = {}
        client = await Client.connect(
            target, data_converter=pydantic_data_converter, interceptors=[ShortRuns(worlds)]
        )
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        simulator = Simulator(client, ServerClock(client), PATIENCE, worlds)
        options: dict[str, Any] = {
            "max_cached_workflows": MANY if remembers else 0,
            "graceful_shutdown_timeout": timedelta(0),
            "workflow_runner": SANDBOX,
            "interceptors": INTERCEPTORS,
        }
        activities = payment_activities(simulator.ports)
        async with build_worker(client, activities, **options):
            yield simulator
