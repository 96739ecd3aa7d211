"""A workflow task that Temporal's SDK interrupts, as it does on a very busy machine."""

import time
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from activities.failures import PaymentErrorInterceptor
from domain.payment import PaymentStatus
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import SagaHarness

LONGER_THAN_THE_LIMIT = 30


class Blocking(Interceptor):
    """Blocks the workflow once, just before it schedules this activity."""

    def __init__(self, activity: str) -> None:
        self.left = [activity]

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 (the SDK's name)
    ) -> type[WorkflowInboundInterceptor]:
        left = self.left

        def block(activity: str) -> None:
            if activity in left:
                left.remove(activity)
                ends = time.monotonic() + LONGER_THAN_THE_LIMIT
                while time.monotonic() < ends:
                    pass

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002
                block(input.activity)
                return super().start_activity(input)

            def start_local_activity(
                self,
                input: StartLocalActivityInput,  # noqa: A002
            ) -> ActivityHandle[Any]:
                block(input.activity)
                return super().start_local_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


@pytest.mark.parametrize("activity", ["fetch_order", "charge", "record_and_publish"])
async def test_an_interrupted_workflow_task_is_done_again(
    idle_harness: SagaHarness, activity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocking = Blocking(activity)
    async with idle_harness.worker(interceptors=[PaymentErrorInterceptor(), blocking]) as workers:
        for worker in filter(None, (each._workflow_worker for each in workers._workers)):
            monkeypatch.setattr(worker, "_deadlock_timeout_seconds", 1)
        handle = await idle_harness.start(idle_harness.an_instruction())
        payment = await handle.result()

    failed = [
        each.workflow_task_failed_event_attributes.failure.message
        for each in (await handle.fetch_history()).events
        if each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    assert blocking.left == []
    assert failed
    assert [each for each in failed if "TMPRL1101" not in each] == []
    assert payment.status is PaymentStatus.SUCCEEDED
    assert idle_harness.world.calls.count("charge") == 1
    assert_books_agree(idle_harness.world, payment)
