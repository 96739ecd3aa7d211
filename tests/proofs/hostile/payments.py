"""Whole payments and refunds with hostile neighbours, by the real workflows and adapters.

A case is a seed. The responses to some requests are changed: for each kind of request another
number. After that the responses are correct, and all books must agree at the end.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import httpx
from temporalio import activity
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.adapters.gateway import HttpGateway
from activities.adapters.inventory import HttpInventory
from activities.adapters.json_client import JsonClient
from activities.adapters.ordering import HttpOrdering
from activities.audit_ports import OrderState
from activities.ports import Ports
from audit.books import WorkflowRun
from audit.invariants import COMPLETED, Violation, violations
from domain.errors import ErrorCode
from domain.events import Event
from domain.gateway import Charge, ChargeState
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from domain.money import Money
from domain.names import TOPIC_SUCCEEDED, refund_workflow_id, workflow_id
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from domain.verification import PENDING
from tests.proofs.hostile.honest import respond
from tests.proofs.hostile.mutations import mutate
from tests.proofs.simulation.world import Worlds
from tests.support.builders import a_reservation, an_instruction, an_order
from tests.support.fakes.ports import ports_of
from tests.support.fakes.publisher import FakePublisher
from tests.support.fakes.world import World
from tests.support.invariants import books_of
from tests.support.time_skipping import WithoutCancelRequests, server_time, time_skipping
from workflows.start import TemporalWorkflowStarter, start_payment, start_refund
from workflows.worker import build_worker, payment_activities

KINDS = ("orders", "reservations", "charges", "void", "look up", "refunds")
COUNTS = (0, 0, 1, 1, 2, 5, 40)
"""How many responses of a kind are changed: one, a few, or more than a step has tries."""
PATIENCE = 120.0
"""Time limit of a case in seconds, by the clock of this machine."""
DECLINE = Charge(
    key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED, is_simulated=True
)


class HostileWorld(World):
    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.left = {kind: dice.choice(COUNTS) for kind in KINDS}
        self.mutated = 0
        self.mutated_kinds: set[str] = set()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        response = await respond(self, request)
        kind = _kind_of(request)
        if self.left[kind] > 0:
            self.left[kind] -= 1
            self.mutated += 1
            self.mutated_kinds.add(kind)
            response = mutate(response, self.dice)
        return response.response()


def _kind_of(request: httpx.Request) -> str:
    if request.url.path.endswith("/void"):
        return "void"
    kind = request.url.path.split("/")[1]
    is_look_up = request.method == "GET" and kind in {"charges", "refunds"}
    return "look up" if is_look_up else kind


def _is_right_here(violation: Violation, world: HostileWorld) -> bool:
    """Whether a failure is rightly not published: Ordering said that the order is another's."""
    return "orders" in world.mutated_kinds and violation.finding.endswith("was never published")


class Finding(NamedTuple):
    seed: int
    mutated: int
    ending: str
    violations: list[Violation]


class HostileCases:
    """Runs cases on one server that skips time, with one worker, and a new world for each case."""

    def __init__(self, client: Client, worlds: dict[str, World]) -> None:
        self._client = client
        self._worlds = worlds

    async def run(self, seed: int) -> Finding:
        dice = random.Random(seed)
        world = HostileWorld(dice)
        now = await server_time(self._client)
        reservation_id = uuid4() if dice.random() < 0.7 else None
        instruction = an_instruction(reservation_id=reservation_id, requested_at=now)
        _set_up(world, instruction)
        self._worlds[workflow_id(instruction.order_id)] = world
        try:
            async with asyncio.timeout(PATIENCE):
                endings = await self._endings(world, instruction)
        except TimeoutError:
            finding = f"it has not after {PATIENCE:.0f} s"
            endless = Violation(instruction.order_id, "every payment has ended", finding)
            return Finding(seed, world.mutated, "endless", [endless])
        books = books_of(world, instruction.order_id)
        books.runs = [WorkflowRun(str(seed), COMPLETED, ending) for ending in endings]
        books.order = _order_state(world, instruction.order_id)
        ending = " ".join(each.error_code or each.status for each in endings)
        found = [each for each in violations(books) if not _is_right_here(each, world)]
        return Finding(seed, world.mutated, ending, found)

    async def _endings(
        self, world: HostileWorld, instruction: PaymentInstruction
    ) -> list[Payment | Refund]:
        """How a payment ends, and then a refund of it or a second payment of its order."""
        payment = await (await start_payment(self._client, instruction)).result()
        if payment.status is PaymentStatus.SUCCEEDED and world.dice.random() < 0.5:
            amount = Money.parse(world.dice.choice(("150.00", "50.00", "0.01")), "USD")
            refund = Refund.pending(payment, amount, "key", await server_time(self._client))
            self._worlds[refund_workflow_id(refund.id)] = world
            conflict = WorkflowIDConflictPolicy.FAIL
            return [payment, await (await start_refund(self._client, refund, conflict)).result()]
        again = instruction.model_copy(update={"payment_id": uuid4()})
        return [payment, await (await start_payment(self._client, again)).result()]


@asynccontextmanager
async def hostile_cases() -> AsyncIterator[HostileCases]:
    async with time_skipping() as server:
        target = server.service_client.config.target_host
        client = await Client.connect(
            target,
            data_converter=pydantic_data_converter,
            interceptors=[WithoutCancelRequests()],
        )
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        worlds: dict[str, World] = {}
        activities = payment_activities(_ports(worlds, client))
        async with build_worker(client, activities, graceful_shutdown_timeout=timedelta(0)):
            yield HostileCases(client, worlds)


def _ports(worlds: dict[str, World], client: Client) -> Ports:
    async def handle(request: httpx.Request) -> httpx.Response:
        world = worlds[activity.info().workflow_id or ""]
        assert isinstance(world, HostileWorld)
        return await world.answer(request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://neighbour")

    def neighbour(name: str, unavailable: ErrorCode) -> JsonClient:
        return JsonClient(http, name, unavailable, 5)

    ordering = neighbour("Ordering", ErrorCode.ORDERING_UNAVAILABLE)
    inventory = neighbour("Inventory", ErrorCode.INVENTORY_UNAVAILABLE)
    gateway = neighbour("The gateway", ErrorCode.GATEWAY_UNAVAILABLE)
    world = Worlds(worlds)
    return ports_of(world, TemporalWorkflowStarter(client))._replace(
        ordering=HttpOrdering(ordering, accept_without_state=False),
        inventory=HttpInventory(inventory),
        gateways={GatewayName.SIMULATOR: HttpGateway(gateway, accept_simulated=True)},
        publisher=PromptPublisher(world),
    )


class PromptPublisher(FakePublisher):
    """Ordering consumes every event at once."""

    async def publish(self, event: Event) -> None:
        await super().publish(event)
        order = self._world.orders[UUID(event.key)]
        if order.state == PENDING:
            state = "paid" if event.topic == TOPIC_SUCCEEDED else "cancelled"
            self._world.orders[order.id] = order.model_copy(update={"state": state})


def _set_up(world: HostileWorld, instruction: PaymentInstruction) -> None:
    if world.dice.random() < 0.2:
        world.decline = DECLINE
    if world.dice.random() < 0.2:
        world.unrecordable = True
    state = "draft" if world.dice.random() < 0.1 else PENDING
    world.orders[instruction.order_id] = an_order(instruction, state=state)
    if instruction.reservation_id is not None:
        held = a_reservation(instruction)
        world.reservations[held.id] = held


def _order_state(world: World, order_id: UUID) -> OrderState:
    paid = [event.subject for event in world.events if event.topic == TOPIC_SUCCEEDED]
    state = world.orders[order_id].state or ""
    return OrderState(state, paid[0] if state == "paid" else None)
