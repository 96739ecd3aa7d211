"""The timeline shows every run of a payment and of its refunds, without a list of workflows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.service import RPCError, RPCStatusCode

from domain import names
from domain.timeline import MAX_RUNS, Source
from tests.support.builders import NOON, a_payment, a_refund
from workflows.timeline import WorkflowTimeline

PAYMENT = a_payment()
REFUND = a_refund(PAYMENT.succeeded(NOON).announced())
WORKFLOW = names.workflow_id(PAYMENT.order_id)
REFUNDING = names.refund_workflow_id(REFUND.id)
OWN = {names.MEMO_PAYMENT_ID: str(PAYMENT.id)}
NOT_FOUND = RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")
AWAY = RPCError("tcp connect error", RPCStatusCode.UNAVAILABLE, b"")
STARTED = HistoryEvent(
    workflow_execution_started_event_attributes=WorkflowExecutionStartedEventAttributes()
)


@dataclass
class FakeTemporal:
    """A client of a server with these runs. It has no method that lists workflows."""

    runs: dict[str, list[str]] = field(default_factory=dict)
    """The runs of each workflow id, the latest first."""
    memos: dict[str, dict[str, str]] = field(default_factory=dict)
    """The memo of each latest run, by workflow id."""
    failure: Exception | None = None
    read: list[tuple[str, str]] = field(default_factory=list)
    """The runs whose histories were read."""

    def get_workflow_handle(self, workflow_id: str, *, run_id: str | None = None) -> "Handle":
        return Handle(self, workflow_id, run_id)


@dataclass
class Handle:
    server: FakeTemporal
    workflow_id: str
    run_id: str | None

    async def describe(self) -> Any:
        if self.server.failure:
            raise self.server.failure
        if not self.server.runs.get(self.workflow_id):
            raise NOT_FOUND

        async def memo() -> Mapping[str, str]:
            return self.server.memos.get(self.workflow_id, {})

        return SimpleNamespace(run_id=self.server.runs[self.workflow_id][0], memo=memo)

    async def fetch_history(self) -> Any:
        assert self.run_id is not None
        if self.run_id not in self.server.runs.get(self.workflow_id, ()):
            raise NOT_FOUND
        self.server.read.append((self.workflow_id, self.run_id))
        return SimpleNamespace(events=[STARTED])


async def shown(
    temporal: Any, recorded: Mapping[UUID, Sequence[str]], *, refunds: bool = False
) -> list[tuple[str, str]]:
    """The runs that the timeline of the payment shows."""

    async def read_runs(payment_id: UUID) -> Mapping[UUID, Sequence[str]]:
        assert payment_id == PAYMENT.id
        return recorded

    entries = await WorkflowTimeline(temporal, read_runs)(PAYMENT, [REFUND] if refunds else [])
    assert [(each.source, each.event) for each in entries] == [
        (Source.TEMPORAL, "workflow started") for _ in temporal.read
    ]
    read: list[tuple[str, str]] = temporal.read
    return read


async def test_each_run_is_shown_once() -> None:
    temporal = FakeTemporal({WORKFLOW: ["third", "second", "first"]}, {WORKFLOW: OWN})

    found = await shown(temporal, {PAYMENT.id: ["third", "second", "first"]})

    assert found == [(WORKFLOW, run) for run in ("third", "second", "first")]


@pytest.mark.parametrize("memo", [OWN, {}], ids=["with memo", "without memo"])
async def test_the_latest_run_is_shown_although_it_is_not_recorded(memo: dict[str, str]) -> None:
    """It has not begun yet, or a worker of the version before runs it."""
    temporal = FakeTemporal({WORKFLOW: ["second", "first"]}, {WORKFLOW: memo})

    assert await shown(temporal, {PAYMENT.id: ["first"]}) == [
        (WORKFLOW, "second"),
        (WORKFLOW, "first"),
    ]
    temporal.read.clear()
    assert await shown(temporal, {}) == [(WORKFLOW, "second")]


async def test_runs_of_the_orders_other_payments_are_left_out() -> None:
    another = {names.MEMO_PAYMENT_ID: str(uuid4())}
    temporal = FakeTemporal({WORKFLOW: ["another", "own"]}, {WORKFLOW: another})

    assert await shown(temporal, {PAYMENT.id: ["own"]}) == [(WORKFLOW, "own")]


async def test_a_recorded_run_is_shown_whatever_its_memo_says() -> None:
    """A run that goes on with another payment of the order takes the memo of that one."""
    another = {names.MEMO_PAYMENT_ID: str(uuid4())}
    temporal = FakeTemporal({WORKFLOW: ["own"]}, {WORKFLOW: another})

    assert await shown(temporal, {PAYMENT.id: ["own"]}) == [(WORKFLOW, "own")]


async def test_the_runs_of_a_refund_are_shown() -> None:
    temporal = FakeTemporal({WORKFLOW: ["paying"], REFUNDING: ["second", "first"]})

    found = await shown(temporal, {PAYMENT.id: ["paying"], REFUND.id: ["first"]}, refunds=True)

    assert found == [(WORKFLOW, "paying"), (REFUNDING, "second"), (REFUNDING, "first")]


async def test_runs_that_temporal_has_deleted_are_left_out() -> None:
    temporal = FakeTemporal({REFUNDING: ["second"]})

    found = await shown(
        temporal, {PAYMENT.id: ["paying"], REFUND.id: ["second", "first"]}, refunds=True
    )

    assert found == [(REFUNDING, "second")]


async def test_any_other_failure_is_one_of_the_source() -> None:
    with pytest.raises(RPCError, match="connect"):
        await shown(FakeTemporal(failure=AWAY), {})


async def test_a_timeline_reads_no_more_runs_than_it_may() -> None:
    runs = [f"run {number}" for number in range(2 * MAX_RUNS)]
    temporal = FakeTemporal({WORKFLOW: runs, REFUNDING: ["refunding"]})

    found = await shown(temporal, {PAYMENT.id: runs[1:]}, refunds=True)

    assert found[:2] == [(WORKFLOW, "run 0"), (REFUNDING, "refunding")]
    assert len(found) == MAX_RUNS
