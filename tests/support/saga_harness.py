"""Pays with the real workflows and activities on Temporal's test server, with a fake world."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle, WorkflowHistory

from domain.instruction import PaymentInstruction
from domain.names import TOPIC_SUCCEEDED
from domain.payment import Payment
from tests.support.builders import a_reservation, an_instruction, an_order
from tests.support.fakes.ports import ports_of
from tests.support.fakes.world import World
from tests.support.sandbox import SANDBOX
from workflows.operator_view import NEEDS_ATTENTION
from workflows.payment import PaymentWorkflow
from workflows.queues import Workers
from workflows.start import TemporalWorkflowStarter, start_payment
from workflows.start_inputs import TemporalStartInputs
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
    """The values that the workflow gave to its `NEEDS_ATTENTION` attribute, the oldest first."""
    upserted = (
        each.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        for each in history.events
    )
    return [
        json.loads(fields[NEEDS_ATTENTION.name].data)
        for fields in upserted
        if NEEDS_ATTENTION.name in fields
    ]


@dataclass
class SagaHarness:
    """Starts payments with a valid order and reservation, and runs the worker that makes them."""

    client: Client
    started_at: datetime
    """The time of the server's clock when the test began."""
    world: World = field(default_factory=World)

    async def start(
        self, instruction: PaymentInstruction
    ) -> WorkflowHandle[PaymentWorkflow, Payment]:
        """Start a payment. While a test awaits the result of the handle, the server skips time."""
        return await start_payment(self.client, instruction)

    async def pay(self, instruction: PaymentInstruction | None = None) -> Payment:
        """Make a payment and return how it ends. It succeeds, unless the test set a fault."""
        handle = await self.start(instruction or self.an_instruction())
        return await handle.result()

    def an_instruction(self, *, reserved: bool = True, **changes: Any) -> PaymentInstruction:
        """A valid instruction, whose order and reservation are in the world."""
        instruction = an_instruction(
            reservation_id=uuid4() if reserved else None, requested_at=self.started_at, **changes
        )
        self.world.orders[instruction.order_id] = an_order(instruction)
        if instruction.reservation_id is not None:
            self.world.reservations[instruction.reservation_id] = a_reservation(instruction)
        return instruction

    def worker(self, **options: Any) -> Workers:
        ports = ports_of(self.world, TemporalWorkflowStarter(self.client))
        ports = ports._replace(start_inputs=TemporalStartInputs(self.client))
        activities = payment_activities(ports)
        return build_worker(self.client, activities, **{"workflow_runner": SANDBOX, **options})
