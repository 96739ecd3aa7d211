"""The in-process engine gives the same results as Temporal's time-skipping server."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import pytest

from tests.proofs.simulation.cases import singles
from tests.proofs.simulation.faults import OPERATIONS, TASK_LOSSES, TERMINATIONS, Case, Kind
from tests.proofs.simulation.in_process import simulate
from tests.proofs.simulation.on_server import simulating_on_server
from tests.proofs.simulation.scenario import WAITING, Scenario
from tests.proofs.simulation.simulator import Finding
from tests.proofs.simulation.world import OUTAGES
from tests.support.proof import Part, parts_of_a_test

CONCURRENT = frozenset({"fetch_order", "fetch_reservation"})
"""Requests that run at the same time as the claim."""


def is_comparable(case: Case) -> bool:
    """Not if a workflow is lost while a system is away for hours, or if a workflow task is lost.

    In the first case, the server's clock leaps ten years over the time limit of the lost run (see
    `ShortRuns`). A workflow task on the server cannot be lost without its worker.
    """
    kinds = {each.kind for each in case.faults}
    return not (kinds & TASK_LOSSES or (kinds & TERMINATIONS and kinds & set(OUTAGES)))


def sample() -> Iterator[Case]:
    """One case of each operation of each scenario, every time with another fault."""
    comparable = filter(is_comparable, singles())
    of_operations = groupby(comparable, lambda case: (case.scenario, case.faults[-1].operation))
    for number, (_, cases) in enumerate(of_operations):
        choice = list(cases)
        yield choice[number % len(choice)]


SAMPLE = list(sample())


class Ending(NamedTuple):
    """The results that both engines must share. The order of concurrent calls may differ."""

    struck: list[Any]
    violated: list[str]
    statuses: list[str]
    calls: dict[str, int]

    @classmethod
    def of(cls, finding: Finding) -> "Ending":
        calls = Counter(each for each in finding.calls if each in OPERATIONS)
        # A claim that ends the payment stops what is asked beside it, at once or one call later.
        uncounted = calls.keys() & CONCURRENT
        # How often a payment looks for its customer depends on where the clock stands.
        if finding.case.scenario in WAITING:
            uncounted |= {"find_charge"} & calls.keys()
        # So does how often a step asks a system in vain that is away, and what it asks before.
        if has_outage(finding.case):
            uncounted |= calls.keys()
        return cls(
            finding.struck,
            [each.invariant for each in finding.violations],
            sorted(finding.statuses),
            {**calls, **dict.fromkeys(uncounted, 1)},
        )


def has_outage(case: Case) -> bool:
    return any(each.kind in OUTAGES for each in case.faults)


async def on_server(cases: Sequence[Case], *, remembers: bool) -> list[Finding]:
    """Run the cases on one server, but each case with an outage of hours on its own server.

    The clock of a server can leap to a timer that an earlier case has left, which would end the
    outage too soon.
    """
    outages = [each for each in cases if has_outage(each)]
    batches = [[each for each in cases if not has_outage(each)], *([each] for each in outages)]
    findings = []
    for batch in batches:
        async with simulating_on_server(remembers=remembers) as simulator:
            findings += [await simulator.run(case) for case in batch]
    return findings


@pytest.mark.timeout(900)  # some seconds on a quiet machine
@pytest.mark.parametrize("part", parts_of_a_test(16))
async def test_both_engines_come_to_the_same_ending(part: Part) -> None:
    cases = part.of(SAMPLE)
    remembers = part.number % 3 > 0

    theirs = await on_server(cases, remembers=remembers)
    ours = await asyncio.to_thread(simulate, cases, remembers=remembers)

    endings = {str(each.case): Ending.of(each) for each in ours}
    assert endings == {str(each.case): Ending.of(each) for each in theirs}


def test_the_sample_has_everything() -> None:
    assert {fault.kind for case in SAMPLE for fault in case.faults} == set(Kind) - TASK_LOSSES
    assert {fault.operation for case in SAMPLE for fault in case.faults} == set(OPERATIONS)
    assert {case.scenario for case in SAMPLE} == set(Scenario)
