"""Running a case: the real workflow and activities in a faulty world, and then the audit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple, cast
from uuid import uuid4

from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner

from activities.failures import PaymentErrorInterceptor
from audit.invariants import Violation
from domain.names import workflow_id
from tests.fakes import ports_of
from tests.simulation.faults import Case, Fault
from tests.simulation.losing import LossInterceptor
from tests.simulation.outages import OneTryInterceptor
from tests.simulation.publisher import HeardPublisher
from tests.simulation.story import Story
from tests.simulation.world import FaultyWorld, Worlds
from tests.workflow.conftest import time_skipping
from workflows.start import TemporalSagas
from workflows.worker import build_worker, payment_activities

PATIENCE = 300.0
"""Seconds that a case may take: an outage of a day takes ten, and sixty on a busy machine."""
MANY = 1000


class Finding(NamedTuple):
    """What a case came to."""

    case: Case
    struck: list[Fault]
    calls: list[str]
    violations: list[Violation]


class Simulator:
    """One server whose time runs ahead, one worker, and a world for each case."""

    def __init__(self, client: Client, worlds: dict[str, FaultyWorld]) -> None:
        self._client = client
        self._worlds = worlds

    async def run(self, case: Case) -> Finding:
        """Tell the story of the case, and compare all books when it has ended."""
        order_id = uuid4()
        world = FaultyWorld(case, self._client)
        self._worlds[workflow_id(order_id)] = world
        story = Story(self._client, world, case, order_id)
        try:
            async with asyncio.timeout(PATIENCE):
                await story.tell()
        except TimeoutError:
            finding = f"it has not after {PATIENCE:.0f} s"
            endless = Violation(order_id, "every payment has ended", finding)
            return Finding(case, world.struck, world.calls, [endless])
        return Finding(case, world.struck, world.calls, story.violations())


@asynccontextmanager
async def simulating(*, remembers: bool = True) -> AsyncIterator[Simulator]:
    """A worker that does not remember replays the history before every task, as a new one does."""
    async with time_skipping() as server:
        target = server.service_client.config.target_host
        client = await Client.connect(target, data_converter=pydantic_data_converter)
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        worlds: dict[str, FaultyWorld] = {}
        world = Worlds(worlds)
        ports = ports_of(world, TemporalSagas(client))._replace(
            publisher=HeardPublisher(cast(FaultyWorld, world))
        )
        options = {
            "max_cached_workflows": MANY if remembers else 0,
            "graceful_shutdown_timeout": timedelta(0),
            "workflow_runner": UnsandboxedWorkflowRunner(),
            "interceptors": [OneTryInterceptor(), PaymentErrorInterceptor(), LossInterceptor()],
        }
        async with build_worker(client, payment_activities(ports), **options):
            yield Simulator(client, worlds)
