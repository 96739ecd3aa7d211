"""Running a case: the real workflow and activities in a faulty world, and then the audit."""

import asyncio
from datetime import timedelta
from typing import Any, NamedTuple, cast
from uuid import uuid4

from temporalio.client import Client

from activities.failures import PaymentErrorInterceptor
from activities.ports import Ports
from audit.invariants import Violation
from domain.names import workflow_id
from domain.payment import PaymentStatus
from tests.proofs.simulation.faults import Case, Fault
from tests.proofs.simulation.losing import LossInterceptor
from tests.proofs.simulation.outages import OneTryInterceptor
from tests.proofs.simulation.publisher import HeardPublisher
from tests.proofs.simulation.story import Clock, Story
from tests.proofs.simulation.world import FaultyWorld, Worlds
from tests.support.fakes.ports import ports_of
from workflows.start import TemporalWorkflowStarter
from workflows.start_inputs import TemporalStartInputs

INTERCEPTORS = (OneTryInterceptor(), PaymentErrorInterceptor(), LossInterceptor())


class Finding(NamedTuple):
    """What a case came to."""

    case: Case
    struck: list[Fault]
    calls: list[str]
    violations: list[Violation]
    statuses: list[PaymentStatus]
    """The final status of each payment of the order, the oldest payment first."""


class Simulator:
    """One server whose time runs ahead, one worker, and a world for each case.

    A case that has not ended after `patience` by the clock of the event loop violates a rule.
    """

    def __init__(
        self, client: Client, clock: Clock, patience: timedelta, worlds: dict[str, FaultyWorld]
    ) -> None:
        """`worlds`, by workflow id, has the world of the case that runs."""
        self._client = client
        self._clock = clock
        self._patience = patience
        self._worlds = worlds

    @property
    def ports(self) -> Ports:
        """What activities act on: the world of the case whose workflow they belong to."""
        world: Any = Worlds(self._worlds)
        publisher = HeardPublisher(cast(FaultyWorld, world))
        return ports_of(world, TemporalWorkflowStarter(self._client))._replace(
            publisher=publisher, start_inputs=TemporalStartInputs(self._client)
        )

    async def run(self, case: Case) -> Finding:
        """Tell the story of the case, and compare all books when it has ended."""
        order_id = uuid4()
        world = FaultyWorld(case, self._client)
        self._worlds[workflow_id(order_id)] = world
        story = Story(self._client, self._clock, world, case, order_id)
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await story.tell()
            violations = story.violations()
        except TimeoutError:
            endless = f"it has not after {self._patience}"
            violations = [Violation(order_id, "every payment has ended", endless)]
        del self._worlds[workflow_id(order_id)]
        statuses = [each.status for each in world.payments.values()]
        return Finding(case, world.struck, world.calls, violations, statuses)
