"""The real workflow and activities on Temporal's time-skipping server, with the world faked."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from domain.names import TOPIC_SUCCEEDED
from domain.payment import Payment, PaymentInstruction
from tests.support.builders import a_reservation, an_instruction, an_order
from tests.support.fakes.ports import ports_of
from tests.support.fakes.world import World
from tests.support.time_skipping import server_time, time_skipping
from workflows.operator_view import NEEDS_ATTENTION
from workflows.payment import PaymentWorkflow
from workflows.queues import Workers
from workflows.start import TemporalWorkflowStarter, start_payment
from workflows.worker import build_worker, payment_activities

FORWARD = [
    "fetch_order",
    "fetch_reservation",
    "record_pending",
    "charge",
    "record_succeeded",
    TOPIC_SUCCEEDED,
    "record_announcement",
]
"""The calls of a payment that succeeds, in their order."""


def attention_flags(history: WorkflowHistory) -> list[bool]:
    """The flag that calls operators, each time it was raised or lowered."""
    upserted = (
        each.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        for each in history.events
    )
    return [
        json.loads(fields[NEEDS_ATTENTION.name].data)
        for fields in upserted
        if NEEDS_ATTENTION.name in fields
    ]


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
    async with time_skipping() as client:
        yield client


@dataclass
class Desk:
    """Where a test hands in a payment."""

    client: Client
    opened_at: datetime
    world: World = field(default_factory=World)

    async def start(
        self, instruction: PaymentInstruction
    ) -> WorkflowHandle[PaymentWorkflow, Payment]:
        """Its handle lets the server's clock run ahead while the result is awaited."""
        return await start_payment(self.client, instruction)

    async def pay(self, instruction: PaymentInstruction | None = None) -> Payment:
        """The ending of a payment that the world allows, unless the test has changed the world."""
        handle = await self.start(instruction or self.an_instruction())
        return await handle.result()

    def an_instruction(self, *, reserved: bool = True) -> PaymentInstruction:
        instruction = an_instruction(
            reservation_id=uuid4() if reserved else None, requested_at=self.opened_at
        )
        self.world.orders[instruction.order_id] = an_order(instruction)
        if instruction.reservation_id is not None:
            self.world.reservations[instruction.reservation_id] = a_reservation(instruction)
        return instruction

    def worker(self, **options: object) -> Workers:
        activities = payment_activities(ports_of(self.world, TemporalWorkflowStarter(self.client)))
        return build_worker(self.client, activities, **options)


@pytest.fixture
async def idle_desk(temporal: Client) -> Desk:
    """A desk whose worker the test starts."""
    return Desk(temporal, await server_time(temporal))


@pytest.fixture
async def desk(idle_desk: Desk) -> AsyncIterator[Desk]:
    async with idle_desk.worker():
        yield idle_desk


@pytest.fixture
async def desk_without_cache(idle_desk: Desk) -> AsyncIterator[Desk]:
    """Its worker forgets a workflow after each task and replays it from history."""
    async with idle_desk.worker(max_cached_workflows=0):
        yield idle_desk
