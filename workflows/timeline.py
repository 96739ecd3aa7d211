"""The source `temporal` of a timeline: the workflow runs of a payment and its refunds."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain import names
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import MAX_RUNS, Entry, Source

LOCAL_ACTIVITY = "core_local_activity"
"""The SDK records the result of a local activity as a marker of this name."""
_WORKFLOW_EVENTS = {
    "workflow_execution_started_event_attributes": "started",
    "workflow_execution_cancel_requested_event_attributes": "was asked to cancel",
    "workflow_execution_completed_event_attributes": "completed",
    "workflow_execution_failed_event_attributes": "failed",
    "workflow_execution_canceled_event_attributes": "was cancelled",
    "workflow_execution_terminated_event_attributes": "was terminated",
    "workflow_execution_timed_out_event_attributes": "timed out",
}
_ACTIVITY_EVENTS = {
    "activity_task_completed_event_attributes": "done",
    "activity_task_failed_event_attributes": "failed",
    "activity_task_timed_out_event_attributes": "timed out",
}
"""Both tables: the text for an event, by the field of `HistoryEvent` that is set."""

_NO_FAILURE = Failure()

ReadRuns = Callable[[UUID], Awaitable[Mapping[UUID, Sequence[str]]]]
"""Reads the recorded run ids of a payment and of its refunds, by the id of each."""
Result = TypeVar("Result")


class _Run(NamedTuple):
    """A run of a workflow, by its ids in Temporal."""

    workflow_id: str
    run_id: str


class WorkflowTimeline:
    """Reads the entries of the source `temporal`. Raises RPCError, and what `read_runs` raises.

    It asks Temporal for no list of workflows: only ten of those a second are allowed, and a list is
    not up to date.
    """

    def __init__(self, client: Client, read_runs: ReadRuns) -> None:
        self._client = client
        self._read_runs = read_runs

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        runs = await self._runs(payment, refunds)
        histories = await asyncio.gather(*map(self._entries, runs))
        return [entry for entries in histories for entry in entries]

    async def _runs(self, payment: Payment, refunds: Sequence[Refund]) -> list[_Run]:
        """The runs of this payment and its refunds: the latest of each, then the recorded ones.

        The latest run may not be recorded: it has not begun, or an earlier version runs it.
        """
        recorded = await self._read_runs(payment.id)
        workflows = {names.workflow_id(payment.order_id): payment.id}
        workflows |= {names.refund_workflow_id(refund.id): refund.id for refund in refunds}
        latest = await asyncio.gather(*(self._latest(each, payment) for each in workflows))
        earlier = (
            _Run(workflow_id, run_id)
            for workflow_id, subject in workflows.items()
            for run_id in recorded.get(subject, ())
        )
        return list(dict.fromkeys([*filter(None, latest), *earlier]))[:MAX_RUNS]

    async def _latest(self, workflow_id: str, payment: Payment) -> _Run | None:
        """The latest run of the workflow id; None if there is none, or if it is another payment's.

        All payments of an order have the same workflow id.
        """
        handle = self._client.get_workflow_handle(workflow_id)
        found = await _unless_deleted(handle.describe())
        own = str(payment.id)
        if found is None or (await found.memo()).get(names.MEMO_PAYMENT_ID, own) != own:
            return None
        return _Run(workflow_id, found.run_id)

    async def _entries(self, run: _Run) -> list[Entry]:
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        history = await _unless_deleted(handle.fetch_history())
        return entries_of(history.events) if history else []


async def _unless_deleted(reading: Awaitable[Result]) -> Result | None:
    """The result; None if Temporal does not have the run: not any more, or since it lost data."""
    try:
        return await reading
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


def entries_of(events: Sequence[HistoryEvent]) -> list[Entry]:
    """The entries of one run: the start and end of the workflow, and the result of each step."""
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
        elif text := _text_and_detail(kind, attributes, steps, tries):
            entries.append(Entry(event.event_time.ToDatetime(UTC), Source.TEMPORAL, *text))
    return entries


def _text_and_detail(
    kind: str, attributes: Any, steps: dict[int, str], tries: dict[int, int]
) -> tuple[str, str | None] | None:
    """The text and the detail of the entry for an event; None if the event is not shown."""
    if kind in _WORKFLOW_EVENTS:
        return f"workflow {_WORKFLOW_EVENTS[kind]}", None
    if kind in _ACTIVITY_EVENTS:
        step = attributes.scheduled_event_id
        return f"{steps[step]} {_ACTIVITY_EVENTS[kind]}", _detail(attributes, tries.get(step, 1))
    if kind == "marker_recorded_event_attributes":
        return _local_step(attributes)
    return None


def _detail(attributes: Any, tries: int) -> str | None:
    message = getattr(attributes, "failure", _NO_FAILURE).message
    count = f"(after {tries} tries)" if tries > 1 else ""
    return f"{message} {count}".strip() or None


def _local_step(attributes: Any) -> tuple[str, str | None] | None:
    if attributes.marker_name != LOCAL_ACTIVITY:
        return None
    details: Payloads = attributes.details["data"]
    name = json.loads(details.payloads[0].data)["activity_type"]
    has_failed = attributes.HasField("failure")
    return f"{name} {'failed' if has_failed else 'done'}", _detail(attributes, tries=1)
