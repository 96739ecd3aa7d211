"""A long proof can be run in parts, and prints the commit that it proves."""

import re

import pytest
import typer
from typer.testing import CliRunner

from domain.gateways import GatewayName
from tests.proofs.planted.__main__ import chosen
from tests.proofs.planted.bugs import BUGS
from tests.proofs.simulation.__main__ import cases
from tests.proofs.simulation.scenario import Scenario, at
from tests.support.proof import WHOLE, Part, PartOption, commit


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_parts_are_the_whole_and_no_item_is_in_two(count: int) -> None:
    items = list(range(20))
    parts = [Part.parse(f"{number}/{count}").of(items) for number in range(1, count + 1)]

    assert sorted(item for part in parts for item in part) == items


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1/0", "1", "-1/2", "1/2/3", "a/b", "1/2\n"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a part such as 2/5"):
        Part.parse(text)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "output"),
    [([], 0, "1/1"), (["--part", "2/5"], 0, "2/5"), (["--part", "6/5"], 2, "is not a part")],
)
def test_a_part_is_an_option(arguments: list[str], exit_code: int, output: str) -> None:
    def main(part: PartOption = WHOLE) -> None:
        typer.echo(Part.parse(part))

    app = typer.Typer()
    app.command()(main)
    ran = CliRunner().invoke(app, arguments)

    assert ran.exit_code == exit_code
    assert output in ran.output


def test_a_part_reads_as_it_is_written() -> None:
    assert str(Part.parse("2/5")) == "2/5"


def test_the_commit_is_named() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}(, with changes)?|unknown", commit())


def test_planted_bugs_are_split() -> None:
    halves = [chosen("", Part(number, 2)) for number in (1, 2)]

    assert sorted(bug.name for half in halves for bug in half) == sorted(bug.name for bug in BUGS)


def test_simulated_cases_are_split_and_each_is_drawn_by_its_own_seed() -> None:
    whole = cases(20, 7, [Scenario.PAID])
    thirds = [Part(number, 3).of(whole) for number in (1, 2, 3)]

    assert sorted(map(str, (case for third in thirds for case in third))) == sorted(map(str, whole))
    assert whole[:-1] == cases(20, 7, [Scenario.PAID])[:-1]


def test_each_scenario_is_at_one_gateway() -> None:
    at_stripe, at_simulator = at(GatewayName.STRIPE), at(GatewayName.SIMULATOR)

    assert Scenario.STRIPE_PAID in at_stripe
    assert Scenario.PAID in at_simulator
    assert {*at_stripe, *at_simulator} == set(at(None)) == set(Scenario)
    assert not {*at_stripe} & {*at_simulator}
