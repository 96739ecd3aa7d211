"""Which workflow a webhook signals, what it starts, and what Temporal's refusals mean."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.webhooks.workflow_signals import TemporalSignals
from domain import names
from domain.dispute import Dispute
from domain.errors import ErrorCode, PaymentError
from domain.stray_attempt import StrayAttempt
from tests.support.builders import NOON, a_payment, a_refund

PAYMENT = a_payment(gateway="stripe")
WORKFLOW = names.workflow_id(PAYMENT.order_id)
REFUND = UUID(int=7)
STRAY = StrayAttempt(
    payment_id=PAYMENT.id, order_id=PAYMENT.order_id, gateway="stripe", reference="pi_1"
)
DISPUTE = Dispute(gateway="stripe", reference="du_1", attempt="pi_1")
NOT_FOUND = RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")
AWAY = RPCError("tcp connect error", RPCStatusCode.UNAVAILABLE, b"")


@dataclass
class Run:
    """The latest run of a workflow id."""

    status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING
    named: dict[str, str] = field(default_factory=lambda: {names.MEMO_PAYMENT_ID: str(PAYMENT.id)})
    run_id: str = "run"

    async def memo(self) -> dict[str, str]:
        return self.named


@dataclass
class FakeTemporal:
    """A client of a server with these runs. It refuses as the real one does."""

    runs: dict[str, Run] = field(default_factory=dict)
    failure: Exception | None = None
    ends_first: bool = False
    """Whether the run ends after it was described."""
    signals: list[tuple[str, str | None, str]] = field(default_factory=list)
    starts: list[tuple[Any, Any, dict[str, Any]]] = field(default_factory=list)

    def get_workflow_handle(self, workflow_id: str, *, run_id: str | None = None) -> "Handle":
        return Handle(self, workflow_id, run_id)

    async def start_workflow(self, workflow: Any, argument: Any, **options: Any) -> None:
        if self.failure:
            raise self.failure
        if options["id"] in self.runs:
            raise WorkflowAlreadyStartedError(options["id"], str(workflow))
        self.starts.append((workflow, argument, options))


@dataclass
class Handle:
    server: FakeTemporal
    workflow_id: str
    run_id: str | None

    async def describe(self, **_: Any) -> Run:
        return self._run()

    async def signal(self, name: str, **_: Any) -> None:
        is_running = self._run().status is WorkflowExecutionStatus.RUNNING
        if not is_running or self.server.ends_first:
            raise NOT_FOUND
        self.server.signals.append((self.workflow_id, self.run_id, name))

    def _run(self) -> Run:
        if self.server.failure:
            raise self.server.failure
        if self.workflow_id not in self.server.runs:
            raise NOT_FOUND
        return self.server.runs[self.workflow_id]


def signals_of(temporal: Any) -> TemporalSignals:
    return TemporalSignals(temporal)


async def test_the_run_of_the_payment_gets_the_signal() -> None:
    temporal = FakeTemporal({WORKFLOW: Run()})

    assert await signals_of(temporal).look_again(PAYMENT.id, PAYMENT.order_id)
    assert temporal.signals == [(WORKFLOW, "run", "look_again")]
    assert temporal.starts == []


NOT_RUNNING: dict[str, dict[str, Run]] = {
    "none": {},
    "completed": {WORKFLOW: Run(WorkflowExecutionStatus.COMPLETED)},
    "terminated": {WORKFLOW: Run(WorkflowExecutionStatus.TERMINATED)},
    "of another payment": {WORKFLOW: Run(named={names.MEMO_PAYMENT_ID: str(UUID(int=3))})},
    "started by hand": {WORKFLOW: Run(named={})},
}


@pytest.mark.parametrize("runs", NOT_RUNNING.values(), ids=NOT_RUNNING)
async def test_no_other_run_gets_it_and_nothing_is_started(runs: dict[str, Run]) -> None:
    temporal = FakeTemporal(runs)

    assert not await signals_of(temporal).look_again(PAYMENT.id, PAYMENT.order_id)
    assert (temporal.signals, temporal.starts) == ([], [])


async def test_a_run_that_ends_meanwhile_is_not_running() -> None:
    temporal = FakeTemporal({WORKFLOW: Run()}, ends_first=True)

    assert not await signals_of(temporal).look_again(PAYMENT.id, PAYMENT.order_id)
    assert temporal.starts == []


MAKING, WATCHING = f"refund-{REFUND}", f"watched-refund-{REFUND}"
ENDED = Run(WorkflowExecutionStatus.COMPLETED)


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ({MAKING: Run()}, [MAKING]),
        ({MAKING: Run(), WATCHING: Run()}, [MAKING, WATCHING]),
        ({MAKING: ENDED, WATCHING: Run()}, [WATCHING]),
        ({WATCHING: Run()}, [WATCHING]),
        ({MAKING: ENDED, WATCHING: ENDED}, []),
        ({}, []),
    ],
)
async def test_what_makes_and_what_watches_a_refund_get_the_signal(
    runs: dict[str, Run], told: list[str]
) -> None:
    temporal = FakeTemporal(runs)

    assert await signals_of(temporal).look_at_refund_again(REFUND) is bool(told)
    assert temporal.signals == [(each, None, "look_again") for each in told]
    assert temporal.starts == []


async def test_a_lost_payment_is_resumed_unless_its_order_is_busy() -> None:
    temporal = FakeTemporal()
    assert await signals_of(temporal).resume(PAYMENT)
    [(_, instruction, options)] = temporal.starts
    assert (options["id"], instruction) == (WORKFLOW, PAYMENT.to_resume())

    busy = FakeTemporal({WORKFLOW: Run()})
    assert not await signals_of(busy).resume(PAYMENT)


async def test_a_stray_attempt_is_undone_once() -> None:
    temporal = FakeTemporal()
    await signals_of(temporal).undo(STRAY)

    [(workflow, argument, options)] = temporal.starts
    assert (workflow, argument) == (names.STRAY_ATTEMPT_WORKFLOW, STRAY)
    assert (options["id"], options["task_queue"]) == ("stray-attempt-pi_1", "payments")
    assert options["id_conflict_policy"].name == "USE_EXISTING"


async def test_a_dispute_that_is_shown_already_is_looked_at_again() -> None:
    temporal = FakeTemporal()
    await signals_of(temporal).watch(DISPUTE)

    [(workflow, argument, options)] = temporal.starts
    assert (workflow, argument) == (names.DISPUTE_WATCH, DISPUTE)
    assert (options["id"], options["start_signal"]) == ("dispute-du_1", "look_again")


async def test_a_lost_watch_of_a_refund_looks_at_once() -> None:
    temporal = FakeTemporal()
    refund = a_refund(PAYMENT.succeeded(NOON).announced(), id=REFUND).succeeded(NOON)
    await signals_of(temporal).watch_refund(refund)

    [(workflow, argument, options)] = temporal.starts
    assert (workflow, argument) == (names.REFUND_WATCH, refund)
    assert (options["id"], options["start_signal"]) == (WATCHING, "look_again")


@pytest.mark.parametrize("status", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.PERMISSION_DENIED])
async def test_without_temporal_nothing_is_known(status: RPCStatusCode) -> None:
    temporal = FakeTemporal({WORKFLOW: Run()}, failure=RPCError("no", status, b""))
    signals = signals_of(temporal)

    for call in (
        signals.look_again(PAYMENT.id, PAYMENT.order_id),
        signals.look_at_refund_again(REFUND),
        signals.resume(PAYMENT),
        signals.undo(STRAY),
        signals.watch(DISPUTE),
    ):
        with pytest.raises(PaymentError) as refused:
            await call
        assert refused.value.code is ErrorCode.SERVICE_UNAVAILABLE
