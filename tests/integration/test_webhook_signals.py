"""Webhooks send signals to, and start, workflows at a real Temporal server. No worker runs them."""

from uuid import UUID, uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from api.webhooks.workflow_signals import TemporalSignals
from domain import names
from domain.dispute import Dispute
from domain.stray_attempt import StrayAttempt
from tests.support.builders import a_payment

PAYMENT = a_payment(gateway="stripe")


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(names, "TASK_QUEUE", f"nobody-{uuid4()}")
    return names.TASK_QUEUE


@pytest.fixture
def signals(temporal: Client) -> TemporalSignals:
    return TemporalSignals(temporal)


async def started(temporal: Client, workflow_id: str, queue: str) -> WorkflowHandle[object, object]:
    memo = {names.MEMO_PAYMENT_ID: str(PAYMENT.id)}
    return await temporal.start_workflow("Any", id=workflow_id, task_queue=queue, memo=memo)


async def told(handle: WorkflowHandle[object, object]) -> list[str]:
    """The names of the signals in the history of this run."""
    history = await handle.fetch_history()
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    got = [each for each in history.events if each.event_type == kind]
    return [each.workflow_execution_signaled_event_attributes.signal_name for each in got]


async def status_of(temporal: Client, workflow_id: str) -> WorkflowExecutionStatus | None:
    return (await temporal.get_workflow_handle(workflow_id).describe()).status


async def test_only_the_running_payment_is_told(
    temporal: Client, signals: TemporalSignals, queue: str
) -> None:
    order = uuid4()
    assert not await signals.look_again(PAYMENT.id, order)

    running = await started(temporal, names.workflow_id(order), queue)
    assert await signals.look_again(PAYMENT.id, order)
    assert not await signals.look_again(UUID(int=404), order)
    assert await told(running) == [names.SIGNAL_LOOK_AGAIN]

    await running.terminate()
    assert not await signals.look_again(PAYMENT.id, order)
    assert await status_of(temporal, running.id) is WorkflowExecutionStatus.TERMINATED


async def test_what_makes_and_what_watches_a_refund_is_told(
    temporal: Client, signals: TemporalSignals, queue: str
) -> None:
    refund = uuid4()
    assert not await signals.look_at_refund_again(refund)

    watching = await started(temporal, names.refund_watch_id(refund), queue)
    assert await signals.look_at_refund_again(refund)
    making = await started(temporal, names.refund_workflow_id(refund), queue)
    assert await signals.look_at_refund_again(refund)

    assert await told(watching) == 2 * [names.SIGNAL_LOOK_AGAIN]
    assert await told(making) == [names.SIGNAL_LOOK_AGAIN]
    for each in (watching, making):
        await each.terminate()


async def test_a_stray_attempt_is_started_once(
    temporal: Client, signals: TemporalSignals, queue: str
) -> None:
    reference = f"pi_{uuid4().hex}"
    stray = StrayAttempt(
        payment_id=PAYMENT.id, order_id=PAYMENT.order_id, gateway="stripe", reference=reference
    )
    for _ in range(2):
        await signals.undo(stray)

    handle = temporal.get_workflow_handle(names.stray_attempt_id(reference))
    found = await handle.describe()
    assert (found.status, found.workflow_type) == (
        WorkflowExecutionStatus.RUNNING,
        "StrayAttemptWorkflow",
    )
    await handle.terminate()


async def test_a_dispute_is_started_once_and_told_each_time(
    temporal: Client, signals: TemporalSignals, queue: str
) -> None:
    dispute = Dispute(gateway="stripe", reference=f"du_{uuid4().hex}", attempt="pi_1")
    for _ in range(3):
        await signals.watch(dispute)

    handle = temporal.get_workflow_handle(names.dispute_watch_id(dispute.reference))
    assert (await handle.describe()).workflow_type == "DisputeWatch"
    assert await told(handle) == [names.SIGNAL_LOOK_AGAIN] * 3
    await handle.terminate()
