"""Running a case: the real workflow and activities in a faulty world, and then the audit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from audit.books import OrderState, Saga
from audit.invariants import COMPLETED, Violation, violations
from domain.errors import ErrorCode
from domain.events import Event
from domain.gateway import Charge, ChargeState
from domain.names import TOPIC_SUCCEEDED, workflow_id
from domain.payment import Payment, PaymentInstruction
from domain.verification import PENDING
from tests.builders import a_reservation, an_instruction, an_order
from tests.fakes import FakePublisher, ports_of
from tests.invariants import books_of
from tests.simulation.faults import Case, Fault, Scenario
from tests.simulation.world import FaultyWorld, Worlds
from tests.workflow.conftest import server_time, time_skipping
from workflows.start import TemporalSagas, start_payment
from workflows.worker import build_worker, payment_activities

DECLINE = Charge(key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED)
SOON = timedelta(minutes=30)
"""More than the clock leaps while nothing runs: to the last deadline of a finished step."""
PATIENCE = 60.0
"""Seconds of this machine's time that a case may take."""


class Finding(NamedTuple):
    """What a case came to."""

    case: Case
    struck: list[Fault]
    violations: list[Violation]


class Simulator:
    """One server whose time runs ahead, one worker, and a world for each case.

    The worker keeps nothing in memory: every task begins with a replay of the history, as if the
    worker before had died.
    """

    def __init__(self, client: Client, worlds: dict[str, FaultyWorld]) -> None:
        self._client = client
        self._worlds = worlds

    async def run(self, case: Case) -> Finding:
        """Pay, then again as a caller does who got no answer, and compare all books."""
        now = await server_time(self._client)
        instruction = an_instruction(reservation_id=uuid4(), requested_at=now)
        world = FaultyWorld(case, self._client)
        self._worlds[workflow_id(instruction.order_id)] = world
        instruction = _set_up(world, case.scenario, instruction)
        try:
            async with asyncio.timeout(PATIENCE):
                endings = [await self._pay(each) for each in _twice(instruction)]
        except TimeoutError:
            return Finding(case, world.struck, [_endless(instruction)])
        world.let_the_late_arrive()
        books = books_of(world, instruction.order_id)
        books.sagas = [Saga(str(case), COMPLETED, payment) for payment in endings]
        books.order = _heard(world, instruction)
        return Finding(case, world.struck, violations(books))

    async def _pay(self, instruction: PaymentInstruction) -> Payment:
        handle = await start_payment(self._client, instruction)
        return await handle.result()


@asynccontextmanager
async def simulating() -> AsyncIterator[Simulator]:
    async with time_skipping() as server:
        target = server.service_client.config.target_host
        client = await Client.connect(target, data_converter=pydantic_data_converter)
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        worlds: dict[str, FaultyWorld] = {}
        world = Worlds(worlds)
        ports = ports_of(world, TemporalSagas(client))._replace(publisher=HeardPublisher(world))
        activities = payment_activities(ports)
        options = {"max_cached_workflows": 0, "graceful_shutdown_timeout": timedelta(0)}
        async with build_worker(client, activities, **options):
            yield Simulator(client, worlds)


class HeardPublisher(FakePublisher):
    """Ordering hears of every event at once."""

    async def publish(self, event: Event) -> None:
        await self._world.perform(event.topic, lambda: self._tell(event))

    def _tell(self, event: Event) -> None:
        self._world.events.append(event)
        order = self._world.orders[UUID(event.key)]
        if order.state == PENDING:
            state = "paid" if event.topic == TOPIC_SUCCEEDED else "cancelled"
            self._world.orders[order.id] = order.model_copy(update={"state": state})


def _set_up(
    world: FaultyWorld, scenario: Scenario, instruction: PaymentInstruction
) -> PaymentInstruction:
    ends_at = instruction.requested_at + SOON if scenario is Scenario.LAPSING else None
    if scenario is Scenario.UNRESERVED:
        instruction = instruction.model_copy(update={"reservation_id": None})
    elif scenario is Scenario.STALE:
        asked_at = instruction.requested_at - timedelta(days=1)
        instruction = instruction.model_copy(update={"requested_at": asked_at, "resumed": True})
        world.lose_after_capture(instruction)
        world.forgotten_keys.add(instruction.charge_request.key)
    elif scenario is Scenario.DECLINED:
        world.decline = DECLINE
    elif scenario is Scenario.UNRECORDABLE:
        world.unrecordable = True
    state = "draft" if scenario is Scenario.REJECTED else PENDING
    world.orders[instruction.order_id] = an_order(instruction, state=state)
    if instruction.reservation_id is not None:
        held = a_reservation(instruction, expires_at=ends_at)
        world.reservations[held.id] = held
    return instruction


def _twice(instruction: PaymentInstruction) -> tuple[PaymentInstruction, PaymentInstruction]:
    return instruction, instruction.model_copy(update={"payment_id": uuid4()})


def _heard(world: FaultyWorld, instruction: PaymentInstruction) -> OrderState:
    """The order, and who paid it, as Ordering knows them from the events."""
    state = world.orders[instruction.order_id].state or ""
    paid = [event.subject for event in world.events if event.topic == TOPIC_SUCCEEDED]
    return OrderState(state, paid[0] if state == "paid" else None)


def _endless(instruction: PaymentInstruction) -> Violation:
    finding = f"it has not after {PATIENCE:.0f} s"
    return Violation(instruction.order_id, "every payment has ended", finding)
