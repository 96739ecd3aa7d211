"""A payment that the former version has begun is completed by this one, wherever it was stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner

from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeRequest, RefundRequest
from domain.names import TOPIC_SUCCEEDED
from domain.payment import Payment, PaymentStatus
from domain.verification import Order, Reservation
from tests.support import former
from tests.support.builders import HOUR
from tests.support.fakes.world import World
from tests.support.former import Former
from tests.support.invariants import assert_books_agree
from tests.support.loss import ending
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import server_time, time_skipping

VERIFYING = ("fetch_order", "fetch_reservation", "record_pending")
PUBLISHING = (TOPIC_SUCCEEDED, "record_announcement")
REFUNDING = ("refund", "record_failed", "payment-failed", "record_announcement")


def _nothing(_: Any, __: Callable[[str], Any]) -> None:
    """No fault."""


def _charge_is_slow(world: Any, _: Callable[[str], Any]) -> None:
    world.after["charge"] = world.times(1, world.down("charge"))


def _gateway_is_dark(world: Any, _: Callable[[str], Any]) -> None:
    for operation in ("charge", "find_charge", "void_charge"):
        world.before[operation] = world.down_for(operation, HOUR)


def _success_is_refused(world: Any, refuse: Callable[[str], Any]) -> None:
    world.before["record_succeeded"] = refuse(ErrorCode.RECORD_REFUSED)


def _event_is_refused(world: Any, refuse: Callable[[str], Any]) -> None:
    world.before[TOPIC_SUCCEEDED] = refuse(ErrorCode.EVENT_REFUSED)


SCENARIOS: dict[Callable[[Any, Callable[[str], Any]], None], tuple[str, ...]] = {
    _nothing: (*VERIFYING, "charge", "record_succeeded", *PUBLISHING),
    _charge_is_slow: ("charge", "find_charge", "record_succeeded"),
    _gateway_is_dark: ("charge",),
    _success_is_refused: ("record_succeeded", *REFUNDING),
    _event_is_refused: (TOPIC_SUCCEEDED, *REFUNDING),
}
STOPS = [
    pytest.param(arrange, operation, had_effect, id=f"{arrange.__name__}-{operation}-{had_effect}")
    for arrange, operations in SCENARIOS.items()
    for operation in operations
    for had_effect in (False, True)
]


@pytest.fixture(scope="session")
def the_former(tmp_path_factory: pytest.TempPathFactory) -> Former:
    return former.load(former.unpack(tmp_path_factory.mktemp("former")))


@pytest.fixture
async def temporal() -> AsyncIterator[Client]:
    """A new server for each test: a stopped worker would keep its clock from skipping time."""
    async with time_skipping() as client:
        yield client


class Stop:
    """Blocks the first call of an operation, before its effect or after it."""

    def __init__(self, world: Any, operation: str, had_effect: bool) -> None:
        self.reached = asyncio.Event()
        self._operation = operation
        self._had_effect = had_effect
        self._perform = world.perform
        world.perform = self.perform

    async def perform(self, operation: str, effect: Callable[[], Any]) -> Any:
        if operation != self._operation:
            return await self._perform(operation, effect)
        try:
            return await self._perform(operation, effect) if self._had_effect else None
        finally:
            self.reached.set()
            await asyncio.Event().wait()


@asynccontextmanager
async def former_worker(the_former: Former, harness: Any) -> AsyncIterator[None]:
    """A worker of the former version. Stopping it interrupts its activities."""
    ports = the_former.fakes.ports_of(
        harness.world, the_former.workflow.TemporalSagas(harness.client)
    )
    async with the_former.workflow.build_worker(
        harness.client,
        the_former.workflow.payment_activities(ports),
        workflow_runner=UnsandboxedWorkflowRunner(),  # the sandbox would import this version
        graceful_shutdown_timeout=timedelta(0),
        max_cached_workflows=0,  # this server would wait for ever for a worker that has one cached
    ):
        yield


def as_left_by(before: Any) -> World:
    """A world of this version with the data of `before`."""
    world = World()
    world.orders = {key: Order(**each.model_dump()) for key, each in before.orders.items()}
    world.reservations = {
        key: Reservation(**each.model_dump()) for key, each in before.reservations.items()
    }
    world.charges = {key: Charge(**each.model_dump()) for key, each in before.charges.items()}
    world.captures = [ChargeRequest(**each.model_dump()) for each in before.captures]
    world.refunds = [RefundRequest(**each.model_dump()) for each in before.refunds]
    world.payments = {key: Payment(**each.model_dump()) for key, each in before.payments.items()}
    for key, statuses in before.transitions.items():
        world.transitions[key] = [PaymentStatus(each) for each in statuses]
    world.events = before.events
    return world


@pytest.mark.parametrize(("arrange", "operation", "had_effect"), STOPS)
async def test_a_payment_that_the_former_version_has_begun_is_ended(
    temporal: Client,
    the_former: Former,
    arrange: Callable[[Any, Callable[[str], Any]], None],
    operation: str,
    had_effect: bool,
) -> None:
    started_at = await server_time(temporal)
    before = the_former.harness.Desk(temporal, started_at)
    codes = the_former.errors.ErrorCode
    arrange(before.world, lambda code: the_former.fakes.refusal(codes(code)))
    stop = Stop(before.world, operation, had_effect)
    instruction = before.an_instruction()
    async with former_worker(the_former, before):
        await before.start(instruction)
        await stop.reached.wait()

    harness = SagaHarness(temporal, started_at, as_left_by(before.world))
    async with harness.worker():
        payment = await ending(harness, instruction)

    assert payment.id == instruction.payment_id
    assert_books_agree(harness.world, payment)
