"""Plots are well-formed, and the report says the same as text, JSON and page."""

import json
import re
from xml.etree.ElementTree import fromstring

import pytest

from benchmarks.load.costs import Costs
from benchmarks.load.page import page
from benchmarks.load.plots import bar_plot, line_plot, round_up
from benchmarks.load.report import Report, Version, tables
from tests.unit.benchmarks.test_figures import a_result

SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def a_report(*names: str, rounds: int = 1) -> Report:
    costs = {"success": Costs(2, 18, 0, 5, 4, 2, 1, 3)}
    loads = [a_result("one caller"), a_result("32 callers")]
    versions = [Version(name, [loads] * rounds, costs) for name in names]
    return Report({"processors": "2 x <fast>"}, versions)


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (0.3, 0.5), (1, 1), (1.1, 2), (42, 50), (51, 100), (float("inf"), 1)]
)
def test_an_axis_ends_at_a_round_number(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


def test_plots_are_well_formed_and_have_all_points() -> None:
    lines = line_plot("A < B", "ms", {"p50": [(0, 1), (1, 2)], "p99 & more": [(0, 3)]})
    bars = bar_plot("CPU", "ms", {"one <caller>": {"api": 1, "worker": 2}, "none": {}})

    points = [each.get("points", "") for each in fromstring(lines).iter()]  # noqa: S314 - our own
    assert sorted(len(each.split()) for each in points if each) == [1, 2]
    rectangles = [each.get("width") for each in fromstring(bars).iter()]  # noqa: S314 - our own
    assert "0.0" in rectangles


@pytest.mark.parametrize("plot", [line_plot("T", "s", {}), bar_plot("T", "s", {})])
def test_a_plot_of_nothing_is_well_formed(plot: str) -> None:
    assert fromstring(plot).tag.endswith("svg")  # noqa: S314 - our own


def test_a_line_goes_up_where_values_grow() -> None:
    [line] = re.findall(r'points="([^"]*)"', line_plot("T", "s", {"a": [(0, 0), (10, 10)]}))
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in line.split())

    assert x0 < x1
    assert y0 > y1


def test_one_version_has_no_ratios_and_two_have_them_first() -> None:
    one, two = a_report("present"), a_report("04c95da64060", "present", rounds=3)

    assert tables(one)[0].rows[0][0] == "one caller"
    assert tables(two)[0].head == ("", "before", "after", "ratio")
    assert {row[-1] for row in tables(two)[0].rows} == {"1.00"}
    assert tables(two)[1].rows[0][0] == "04c95da64060: one caller"


@pytest.mark.parametrize("names", [("present",), ("04c95da64060", "present")])
def test_the_tables_are_rectangles(names: tuple[str, ...]) -> None:
    for table in tables(a_report(*names)):
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_json_has_results_costs_and_ratios() -> None:
    written = json.loads(a_report("04c95da64060", "present", rounds=2).to_json())

    assert written["versions"][1]["costs"]["success"]["history_events"] == 18
    assert len(written["versions"][0]["rounds"]) == 2
    assert {each["ratio"] for each in written["comparison"]} == {1}


@pytest.mark.parametrize("names", [("present",), ("04c95da64060", "present")])
def test_the_page_loads_nothing_and_its_plots_are_well_formed(names: tuple[str, ...]) -> None:
    written = page(a_report(*names, rounds=2))

    assert "2 x &lt;fast&gt;" in written
    assert not re.search(r"<(script|link|img|iframe)|src=|url\(", written)
    plots = SVG.findall(written)
    assert len(plots) == 7
    for plot in plots:
        fromstring(plot)  # noqa: S314 - our own
