"""A system that hangs delays only the steps that use it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from domain import names
from domain.errors import ErrorCode
from domain.names import TOPIC_SUCCEEDED
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund, RefundStatus
from tests.support.builders import HOUR, an_order
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server
from workflows import step_policy, steps, worker
from workflows.policies import LOCAL_TRY, STEPS
from workflows.queues import LIMITS
from workflows.reconciliation import ReconciliationWorkflow
from workflows.start import start_refund

LIMIT = 2
HANGING = LIMIT + 2
LOCAL_FIRST = {step.__name__ for step, policy in STEPS.items() if policy.local_first}
LOCAL_FIRST |= {"record_succeeded", TOPIC_SUCCEEDED}
SECONDS = 20
PATIENT = {
    step: replace(policy, start_to_close=HOUR, schedule_to_close=2 * HOUR, heartbeat=None)
    for step, policy in STEPS.items()
}
"""Steps with a longer time limit than the test has, so that a hanging try keeps its place."""


temporal = own_server


@pytest.fixture
async def narrow_harness(
    idle_harness: SagaHarness, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SagaHarness]:
    """A harness whose worker runs two activities of each queue at a time.

    It has no more slots for workflow tasks than payments that wait inside one. No step that hangs
    is given up.
    """
    monkeypatch.setattr(steps, "STEPS", PATIENT)
    monkeypatch.setattr(steps, "LOCAL_TRY", LOCAL_TRY)
    monkeypatch.setattr(worker, "LIMITS", dict.fromkeys(LIMITS, LIMIT))
    slots = {"max_concurrent_workflow_tasks": HANGING}
    async with idle_harness.worker(graceful_shutdown_timeout=timedelta(0), **slots):
        yield idle_harness


@asynccontextmanager
async def hanging(
    harness: SagaHarness, operation: str, payments: int = HANGING
) -> AsyncIterator[None]:
    """More payments wait for a system that does not respond than its queue runs at a time."""
    answers = asyncio.Event()

    async def hang() -> None:
        await answers.wait()

    harness.world.before[operation] = hang
    local = payments if operation in LOCAL_FIRST else 0
    tries = harness.world.calls.count(operation) + local + LIMIT
    handles = [await harness.start(harness.an_instruction()) for _ in range(payments)]
    await until(lambda: harness.world.calls.count(operation) >= tries)
    yield
    answers.set()
    for handle in handles:
        await handle.result()


@pytest.mark.parametrize(
    ("operation", "status"),
    [("charge", PaymentStatus.PENDING), (TOPIC_SUCCEEDED, PaymentStatus.SUCCEEDED)],
)
async def test_a_gateway_or_kafka_that_hangs_delays_neither_recording_nor_reconciliation(
    narrow_harness: SagaHarness, operation: str, status: PaymentStatus
) -> None:
    world = narrow_harness.world
    async with asyncio.timeout(SECONDS), hanging(narrow_harness, operation):
        await until(lambda: [each.status for each in world.payments.values()] == HANGING * [status])
        found = await reconcile(narrow_harness)
        rejected = await pay_what_cannot_be_paid(narrow_harness)
        waiting = world.calls.count(operation)

    assert found == 0
    assert rejected.error_code is ErrorCode.ORDER_NOT_PENDING
    assert world.payments[rejected.id].status is PaymentStatus.FAILED
    local = HANGING if operation in LOCAL_FIRST else 0
    assert waiting == local + LIMIT


@pytest.mark.parametrize("operation", ["fetch_order", "fetch_reservation"])
async def test_ordering_or_inventory_that_hangs_delays_no_refund_and_no_reconciliation(
    narrow_harness: SagaHarness, operation: str
) -> None:
    payment = await narrow_harness.pay()
    refund = Refund.pending(payment, payment.amount, "key", narrow_harness.started_at)
    async with asyncio.timeout(SECONDS), hanging(narrow_harness, operation):
        found = await reconcile(narrow_harness)
        handle = await start_refund(narrow_harness.client, refund, WorkflowIDConflictPolicy.FAIL)
        refunded = await handle.result()

    assert found == 0
    assert refunded.status is RefundStatus.SUCCEEDED


async def test_a_payment_of_a_version_with_one_queue_goes_on(
    idle_harness: SagaHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker of that version has no cache: the test server would wait for it."""
    harness, world = idle_harness, idle_harness.world
    world.before["charge"] = world.down("charge")
    with monkeypatch.context() as former:
        former.setattr(step_policy, "QUEUES", dict.fromkeys(ErrorCode, names.TASK_QUEUE))
        async with harness.worker(max_cached_workflows=0):
            handle = await harness.start(harness.an_instruction())
            await until(lambda: world.calls.count("charge") > 0)
    del world.before["charge"]
    for each in ("record_succeeded", TOPIC_SUCCEEDED):  # so that the local tries fail
        world.before[each] = world.times(1, world.down(each))

    async with asyncio.timeout(SECONDS), harness.worker():
        payment = await handle.result()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert await queues_of(handle) == {
        "charge": names.TASK_QUEUE,
        "record_succeeded": names.TASK_QUEUE_RECORDS,
        "publish_event": names.TASK_QUEUE_EVENTS,
    }


async def queues_of(handle: WorkflowHandle[Any, Any]) -> dict[str, str]:
    """The queue of each activity of the workflow."""
    scheduled = (
        each.activity_task_scheduled_event_attributes
        for each in (await handle.fetch_history()).events
    )
    return {each.activity_type.name: each.task_queue.name for each in scheduled if each.activity_id}


async def reconcile(harness: SagaHarness) -> int:
    return await harness.client.execute_workflow(
        ReconciliationWorkflow.run, id=str(uuid4()), task_queue=names.TASK_QUEUE
    )


async def pay_what_cannot_be_paid(harness: SagaHarness) -> Payment:
    instruction = harness.an_instruction()
    harness.world.orders[instruction.order_id] = an_order(instruction, state="paid")
    return await harness.pay(instruction)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the world has no event for it
        await asyncio.sleep(0.01)
