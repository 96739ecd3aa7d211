"""The page about the performance names the costs that a test has measured."""

from pathlib import Path

from tests.integration.test_costs import BUDGET, row

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


def test_the_costs_on_the_page_are_those_of_the_budget() -> None:
    lines = PAGE.read_text().splitlines()

    assert [row(kind, costs) for kind, costs in BUDGET.items()] == [
        line for line in lines if line.startswith(tuple(f"| {kind} |" for kind in BUDGET))
    ]
