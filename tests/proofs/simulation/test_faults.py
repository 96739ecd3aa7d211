"""Every fault at every operation, and many at a time: the books agree each time."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations_with_replacement

import pytest

from domain.names import TOPIC_SUCCEEDED
from tests.proofs.simulation.cases import COURSES, LED_TO, drawn, pairs, singles
from tests.proofs.simulation.faults import FAULTS, OPERATIONS, Case, fits
from tests.proofs.simulation.in_process import simulate
from tests.proofs.simulation.scenario import Scenario
from tests.proofs.simulation.simulator import Finding
from tests.support.proof import Part, parts_of_a_test
from tests.support.repository import ROOT

SAMPLE = 60
"""How many random cases are tried here; `make simulate` tries every pair, and more of these."""


def assert_no_violations(cases: Sequence[Case], *, remembers: bool = True) -> list[Finding]:
    findings = simulate(cases, remembers=remembers)
    assert {str(each.case): each.violations for each in findings if each.violations} == {}
    return findings


@pytest.mark.timeout(600)  # some seconds on a quiet machine
@pytest.mark.parametrize("part", parts_of_a_test(24))
def test_no_single_fault_breaks_an_invariant(part: Part) -> None:
    """The worker of every third part remembers nothing, as one that was started just now."""
    cases = part.of(list(singles()))

    findings = assert_no_violations(cases, remembers=part.number % 3 > 0)

    assert [str(each.case) for each in findings if tuple(each.struck) != each.case.faults] == []


@pytest.mark.parametrize("remembers", [True, False])
def test_no_six_faults_break_an_invariant(remembers: bool) -> None:
    cases = [drawn(seed) for seed in range(SAMPLE)][remembers::2]

    assert_no_violations(cases, remembers=remembers)


def test_an_outage_of_a_day_costs_one_try_in_each_round() -> None:
    (finding,) = assert_no_violations([Case.parse("undone refund:long-outage")])

    assert 20 < finding.calls.count("refund") < 50


def test_a_try_goes_on_after_its_workflow_task_is_over() -> None:
    """The other try has begun to publish. So both send, and their events are the same."""
    (finding,) = assert_no_violations([Case.parse("paid record_succeeded:task-expired")])

    assert finding.calls.count("record_succeeded") == 2
    assert finding.calls.count(TOPIC_SUCCEEDED) == 2


def test_courses_are_complete() -> None:
    """So that every operation of every scenario is struck."""
    findings = assert_no_violations([Case(each, ()) for each in Scenario])

    for finding in findings:
        assert set(finding.calls) & set(OPERATIONS) == set(COURSES[finding.case.scenario])


def test_every_operation_is_struck() -> None:
    assert {*LED_TO.values()}.union(*COURSES.values()) == set(OPERATIONS)


def test_a_case_is_what_it_says() -> None:
    for case in [*singles(), *(drawn(seed) for seed in range(1000))]:
        assert Case.parse(str(case)) == case


@pytest.mark.parametrize("circumstance", ["+", "+tomorrow", "+late +never"])
def test_an_unknown_circumstance_is_refused(circumstance: str) -> None:
    with pytest.raises(ValueError, match="none of"):
        Case.parse(f"paid {circumstance}")


def test_pairs_are_those_that_can_strike_and_none_is_tried_twice() -> None:
    called = set(COURSES[Scenario.PAID])
    fitting = [each for each in FAULTS if fits(each, Scenario.PAID)]
    firsts = [Case(Scenario.PAID, (each,)) for each in fitting if each.operation in called]

    tried = [each.faults for first in firsts for each in pairs(first, called)]

    wanted = [
        each
        for each in combinations_with_replacement(fitting, 2)
        if called >= {each[0].operation, each[1].operation}
    ]
    assert {frozenset(each) for each in tried} == {frozenset(each) for each in wanted}
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize("option", ["--no-server", "--server"])
def test_the_command_tries_a_case(option: str) -> None:
    command = (
        sys.executable,
        "-m",
        "tests.proofs.simulation",
        "--case",
        "paid charge:lost",
        option,
    )

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)

    assert "1 cases, 1 faults struck, 0 cases with violations" in ran.stdout
