"""What Temporal has recorded of a payment: the runs of its workflow and refunds, step by step."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution

from domain import names
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

MAX_RUNS = 50
"""How many of the newest runs are read for one timeline. Chosen, not measured."""
LOCAL_ACTIVITY = "core_local_activity"
_WORKFLOW = {
    "workflow_execution_started_event_attributes": "started",
    "workflow_execution_cancel_requested_event_attributes": "was asked to cancel",
    "workflow_execution_completed_event_attributes": "completed",
    "workflow_execution_failed_event_attributes": "failed",
    "workflow_execution_canceled_event_attributes": "was cancelled",
    "workflow_execution_terminated_event_attributes": "was terminated",
    "workflow_execution_timed_out_event_attributes": "timed out",
}
_STEP = {
    "activity_task_completed_event_attributes": "done",
    "activity_task_failed_event_attributes": "failed",
    "activity_task_timed_out_event_attributes": "timed out",
}

_NONE = Failure()


class WorkflowTimeline:
    """The timeline's source `temporal`. Raises RPCError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        runs = [run async for run in self._runs(payment, refunds)]
        histories = await asyncio.gather(*map(self._entries, runs))
        return [entry for entries in histories for entry in entries]

    async def _runs(
        self, payment: Payment, refunds: Sequence[Refund]
    ) -> AsyncIterator[WorkflowExecution]:
        """The runs of this payment and its refunds. Other payments of the order share its id."""
        own = str(payment.id)
        ids = [names.workflow_id(payment.order_id)]
        ids += [names.refund_workflow_id(refund.id) for refund in refunds]
        query = f"WorkflowId IN ({', '.join(map(repr, ids))})"
        async for run in self._client.list_workflows(query, limit=MAX_RUNS):
            if (await run.memo()).get(names.MEMO_PAYMENT_ID, own) == own:
                yield run

    async def _entries(self, run: WorkflowExecution) -> list[Entry]:
        handle = self._client.get_workflow_handle(run.id, run_id=run.run_id)
        return entries_of([event async for event in handle.fetch_history_events()])


def entries_of(events: Sequence[HistoryEvent]) -> list[Entry]:
    """The entries of one run: the result of each step, and after how many tries."""
    steps: dict[int, str] = {}
    tries: dict[int, int] = {}
    entries = []
    for event in events:
        kind = event.WhichOneof("attributes") or ""
        attributes: Any = getattr(event, kind, None)
        if kind == "activity_task_scheduled_event_attributes":
            steps[event.event_id] = attributes.activity_type.name
        elif kind == "activity_task_started_event_attributes":
            tries[attributes.scheduled_event_id] = attributes.attempt
        elif shown := _shown(kind, attributes, steps, tries):
            entries.append(Entry(event.event_time.ToDatetime(UTC), Source.TEMPORAL, *shown))
    return entries


def _shown(
    kind: str, attributes: Any, steps: dict[int, str], tries: dict[int, int]
) -> tuple[str, str | None] | None:
    if kind in _WORKFLOW:
        return f"workflow {_WORKFLOW[kind]}", None
    if kind in _STEP:
        step = attributes.scheduled_event_id
        return f"{steps[step]} {_STEP[kind]}", _detail(attributes, tries.get(step, 1))
    if kind == "marker_recorded_event_attributes":
        return _local_step(attributes)
    return None


def _detail(attributes: Any, tries: int) -> str | None:
    message = getattr(attributes, "failure", _NONE).message
    counted = f"(after {tries} tries)" if tries > 1 else ""
    return f"{message} {counted}".strip() or None


def _local_step(attributes: Any) -> tuple[str, str | None] | None:
    if attributes.marker_name != LOCAL_ACTIVITY:
        return None
    details: Payloads = attributes.details["data"]
    name = json.loads(details.payloads[0].data)["activity_type"]
    has_failed = attributes.HasField("failure")
    return f"{name} {'failed' if has_failed else 'done'}", _detail(attributes, tries=1)
