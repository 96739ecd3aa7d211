"""The simulation without a server, on a simulated clock."""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.proofs.simulation.engine import clock
from tests.proofs.simulation.engine.server import InProcessServer
from tests.proofs.simulation.engine.worker import InProcessWorker
from tests.proofs.simulation.faults import Case
from tests.proofs.simulation.simulator import INTERCEPTORS, Finding, Simulator
from workflows.payment import PaymentWorkflow
from workflows.worker import payment_activities

PATIENCE = timedelta(days=30)
"""Simulated time limit for one case. Six outages of 25 hours, with all retries, take less."""


class LeapingClock:
    """The clock of `LeapingLoop`. It does not move while a task can run."""

    async def now(self) -> datetime:
        return clock.now()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[datetime]:
        yield clock.now()


def simulator(*, remembers: bool = True) -> Simulator:
    """A simulator. It runs only on a `LeapingLoop`."""
    server = InProcessServer(remembers=remembers)
    client = Client(server, data_converter=pydantic_data_converter)
    simulator = Simulator(client, LeapingClock(), PATIENCE, {})
    activities = payment_activities(simulator.ports)
    server.worker = InProcessWorker(client, activities, [PaymentWorkflow], INTERCEPTORS)
    return simulator


def simulate(cases: Iterable[Case], *, remembers: bool = True) -> list[Finding]:
    """Run the cases one after the other, with logging off: the faults are intended."""

    async def run() -> list[Finding]:
        simulating = simulator(remembers=remembers)
        return [await simulating.run(case) for case in cases]

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return clock.run(run())
    finally:
        logging.disable(before)
