"""A world that has the faults of a case, and one face for all worlds of one worker."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from temporalio import activity
from temporalio.client import Client

from domain.errors import PaymentError
from domain.names import SIGNAL_LOOK_AGAIN, TOPIC_FAILED, TOPIC_SUCCEEDED
from tests.proofs.simulation.changes import Changes
from tests.proofs.simulation.faults import (
    AFTER,
    CALLS,
    CHANGES,
    REFUSALS,
    TASK_LOSSES,
    TERMINATIONS,
    Case,
    Fault,
    Gateway,
    Kind,
)
from tests.proofs.simulation.hearing import Consumers
from tests.proofs.simulation.looks import Looks
from tests.proofs.simulation.losing import Lost, TaskLost, leave_this_try
from tests.proofs.simulation.outages import AWAY
from tests.support.fakes.world import UNAVAILABLE, Result, World

OUTAGES = {Kind.OUTAGE: timedelta(hours=6), Kind.LONG_OUTAGE: timedelta(hours=25)}
SYSTEMS = {
    "fetch_order": "ordering",
    "fetch_reservation": "inventory",
    "charge": "gateway",
    "open_charge": "gateway",
    "authorize": "gateway",
    "capture": "gateway",
    "find_charge": "gateway",
    "void_charge": "gateway",
    "refund": "gateway",
    TOPIC_SUCCEEDED: "kafka",
    TOPIC_FAILED: "kafka",
}


class FaultyWorld(World):
    """Every fault of the case strikes once, at the next call of its operation."""

    def __init__(self, case: Case, client: Client) -> None:
        super().__init__()
        self.case = case
        self.struck: list[Fault] = []
        self.replays_first_answer = case.circumstances.gateway is Gateway.REPLAYS
        self.consumers = Consumers(self, case.circumstances.hearing)
        self.looks = Looks(self)
        self.changes = Changes(self)
        self._waiting = list(case.faults)
        self._client = client
        self._outages: dict[str, tuple[Kind, datetime | None]] = {}
        self._late: list[_Late] = []
        self._left: list[asyncio.Task[Any]] = []

    async def perform(self, operation: str, effect: Callable[[], Result]) -> Result:
        self.calls.append(operation)
        self.changes.note(operation)
        late = [each for each in self._late if each.is_due_after_call(_system(operation))]
        try:
            self._suffer_outage(operation)
            fault = self._next_fault(operation)
            return await self._strike(fault, operation, self.looks.noting(operation, effect))
        finally:
            for each in late:
                self._arrive(each)

    async def everything_arrives(self) -> None:
        """Give every delayed request its effect, and wait until the tries that go on have ended."""
        self.let_the_late_arrive()
        while self._late or not all(each.done() for each in self._left):
            await asyncio.sleep(1)
            self.let_the_late_arrive()
        await asyncio.gather(*self._left, return_exceptions=True)

    def let_the_late_arrive(self) -> None:
        """What is still on its way has its effect now."""
        for each in list(self._late):
            self._arrive(each)

    def _arrive(self, late: "_Late") -> None:
        if late in self._late:
            self._late.remove(late)
            with suppress(PaymentError):
                late.effect()

    def _next_fault(self, operation: str) -> Kind | None:
        for fault in self._waiting:
            if fault.operation == operation:
                self._waiting.remove(fault)
                self.struck.append(fault)
                return fault.kind
        return None

    async def _strike(
        self, kind: Kind | None, operation: str, effect: Callable[[], Result]
    ) -> Result:
        """The fault in three acts: what prevents the effect, the effect, what hides its answer."""
        if kind in CHANGES:
            self.changes.have(kind)
        elif kind is not None and kind not in AFTER | {Kind.DUPLICATE}:
            await self._befall(kind, operation, effect)
        result = effect()
        if kind is Kind.DUPLICATE:
            return effect()
        if kind in AFTER:
            await self._befall(kind, operation, effect)
        return result

    async def _befall(self, kind: Kind, operation: str, effect: Callable[[], object]) -> None:
        if kind is Kind.CANCELLED:
            await self._workflow().cancel()
            return
        if kind is Kind.EVENT_RECEIVED:
            for _ in range(2):
                await self._workflow().signal(SIGNAL_LOOK_AGAIN)
            return
        if kind is Kind.TASK_EXPIRED:
            await self._leave_try(operation)
            return
        if kind in {Kind.LATE, Kind.TERMINATED_LATE, Kind.WORKER_DIED_LATE}:
            run = copy_context().run  # of this activity, which may have ended by then
            calls = CALLS[self.case.circumstances.delay]
            self._late.append(_Late(_system(operation), calls, partial(run, effect)))
        elif kind in OUTAGES:
            self._outages[operation] = (kind, None)
        raise _error_of(kind, operation)

    async def _leave_try(self, operation: str) -> None:
        """Let the workflow task of this try expire, and wait until a later request was processed.

        Meanwhile the workflow task is done again, with another try.
        """
        goes_on = asyncio.Event()
        calls = CALLS[self.case.circumstances.delay]
        self._late.append(_Late(_system(operation), calls, goes_on.set))
        self._left.append(leave_this_try())
        await goes_on.wait()

    def _suffer_outage(self, operation: str) -> None:
        """It begins at the first try that knows the server's time; a local one does not."""
        if operation not in self._outages:
            return
        if activity.info().is_local:
            raise _no_answer(operation)
        now = activity.info().started_time
        kind, ends_at = self._outages[operation]
        ends_at = ends_at or now + OUTAGES[kind]
        self._outages[operation] = (kind, ends_at)
        if now < ends_at:
            raise _no_answer(operation, AWAY)
        if kind is Kind.LONG_OUTAGE:
            self.let_the_late_arrive()  # no request is on its way for a day
            self.forgotten_keys.update(self.charges, self.used_keys)

    def _workflow(self) -> Any:
        return self._client.get_workflow_handle(activity.info().workflow_id or "")


@dataclass(eq=False)
class _Late:
    """A late effect, and how many more requests to the same system come first."""

    system: str
    calls: int
    effect: Callable[[], object]

    def is_due_after_call(self, system: str) -> bool:
        self.calls -= system == self.system
        return self.calls <= 0


class Worlds(World):
    """Whichever world the running activity's workflow belongs to."""

    def __init__(self, by_workflow: Mapping[str, World]) -> None:
        self._by_workflow = by_workflow

    def __getattribute__(self, name: str) -> Any:
        worlds = object.__getattribute__(self, "_by_workflow")
        return getattr(worlds[activity.info().workflow_id or ""], name)


def _system(operation: str) -> str:
    return SYSTEMS.get(operation, "database")


def _error_of(kind: Kind, operation: str) -> Exception:
    if kind is Kind.REFUSED:
        return PaymentError(REFUSALS[operation], "Refused.")
    if kind is Kind.GARBAGE:
        return ValueError("not what was expected")
    if kind in TERMINATIONS:
        return Lost()
    if kind in TASK_LOSSES:
        return TaskLost()
    return _no_answer(operation)


def _no_answer(operation: str, how: str = "does not answer") -> PaymentError:
    return PaymentError(UNAVAILABLE[operation], f"{operation} {how}.")
