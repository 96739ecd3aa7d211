"""The real workflow and activities on Temporal's time-skipping server, with the world faked."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from api.sagas import PaymentSagas
from bootstrap.prepare import add_search_attributes
from domain.payment import Payment, PaymentInstruction
from tests.builders import a_reservation, an_instruction, an_order
from tests.fakes import (
    FakeGateway,
    FakeInventory,
    FakeOrdering,
    FakePayments,
    FakePublisher,
    World,
)
from workflows.operator_view import SEARCH_ATTRIBUTES
from workflows.payment import PaymentWorkflow
from workflows.worker import build_worker, payment_activities

TEST_SERVER = Path(sys.executable).with_name("temporal-test-server")


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter,
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=timedelta(seconds=30),
    )
    async with environment:
        await add_search_attributes(environment.client, SEARCH_ATTRIBUTES)
        yield environment.client


@dataclass
class Desk:
    """Where a test hands in a payment."""

    client: Client
    world: World = field(default_factory=World)

    async def start(
        self, instruction: PaymentInstruction
    ) -> WorkflowHandle[PaymentWorkflow, Payment]:
        sagas = PaymentSagas(self.client, wait=timedelta(seconds=1))
        return (await sagas.start_or_join(instruction)).handle

    async def pay(self, instruction: PaymentInstruction | None = None) -> Payment:
        """The ending of a payment that the world allows, unless the test has changed the world."""
        handle = await self.start(instruction or self.an_instruction())
        return await handle.result()

    def an_instruction(self, *, reserved: bool = True) -> PaymentInstruction:
        instruction = an_instruction(reservation_id=uuid4() if reserved else None)
        self.world.orders[instruction.order_id] = an_order(instruction)
        if instruction.reservation_id is not None:
            self.world.reservations[instruction.reservation_id] = a_reservation(instruction)
        return instruction

    def worker(self, **options: object) -> Worker:
        world = self.world
        activities = payment_activities(
            FakeOrdering(world),
            FakeInventory(world),
            FakeGateway(world),
            FakePayments(world),
            FakePublisher(world),
        )
        return build_worker(self.client, activities, **options)


@pytest.fixture
async def desk(temporal: Client) -> AsyncIterator[Desk]:
    desk = Desk(temporal)
    async with desk.worker():
        yield desk
