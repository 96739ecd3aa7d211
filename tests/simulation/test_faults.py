"""Every fault at every operation, and a sample of their pairs: the books agree each time."""

import random
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.simulation.faults import Case, Scenario, pairs, singles
from tests.simulation.simulator import Finding, Simulator, simulating

PARTS = 9
"""Not a multiple of the kinds of faults: the slow ones, the outages, are in all parts alike."""
SAMPLE = 200
"""How many pairs are tried here; `make simulate` tries them all."""


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with simulating() as simulator:
        yield simulator


async def assert_no_violations(simulator: Simulator, cases: Sequence[Case]) -> list[Finding]:
    findings = [await simulator.run(case) for case in cases]
    assert {str(each.case): each.violations for each in findings if each.violations} == {}
    return findings


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_single_fault(simulator: Simulator, part: int) -> None:
    findings = await assert_no_violations(simulator, list(singles())[part::PARTS])

    assert [str(each.case) for each in findings if tuple(each.struck) != each.case.faults] == []


@pytest.mark.parametrize("part", range(PARTS))
async def test_pairs_of_faults(simulator: Simulator, part: int) -> None:
    sample = random.Random(24).sample(list(pairs(Scenario.PAID)), SAMPLE)

    await assert_no_violations(simulator, sample[part::PARTS])


@pytest.mark.parametrize("case", ["stale record_pending:duplicate record_pending:refused"])
async def test_case_that_once_broke_a_promise(simulator: Simulator, case: str) -> None:
    await assert_no_violations(simulator, [Case.parse(case)])


def test_a_case_is_what_it_says() -> None:
    for case in [*singles(), *pairs(Scenario.LAPSING)]:
        assert Case.parse(str(case)) == case
