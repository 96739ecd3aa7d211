"""The report as one HTML page with plots. It loads nothing, so it can be kept and sent."""

import statistics
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.load.figures import LEAN, Result
from benchmarks.load.plots import bar_plot, line_plot
from benchmarks.load.report import Report, Table, tables

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; display: block; margin: 1rem 0; font: 12px system-ui, sans-serif; }
svg text { fill: currentColor; }
svg .grid { stroke: currentColor; opacity: .2; }
.note { opacity: .75; font-size: .9em; }
"""


def page(report: Report) -> str:
    """The whole page: tables first, then plots."""
    title = "Load on " + " and ".join(version.name for version in report.versions)
    machine = ", ".join(f"{name}: {value}" for name, value in report.machine.items())
    parts = [*map(_table, tables(report)), *_plots(report)]
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>'
        f"\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(machine)}</p>\n"
        + "\n".join(parts)
        + "\n</html>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    title = f"<h2>{escape(table.title)}</h2>"
    return f"{title}<table><tr>{head}</tr>{rows}</table>{note}"


def _plots(report: Report) -> Iterator[str]:
    yield bar_plot("CPU time per payment by process", "ms", _cpu(report))
    if len(report.versions[0].rounds) > 1:
        yield from _rounds(report)
    for result in report.versions[-1].rounds[-1]:
        yield f"<h2>{escape(result.load)}, over time</h2>"
        yield from _over_time(result)


def _cpu(report: Report) -> dict[str, dict[str, float]]:
    """By load: the medians of the processes of the system."""
    return {
        load: {
            process: statistics.median(each.cpu_ms[process] for each in results)
            for process in results[0].cpu_ms
            if process not in LEAN
        }
        for load, results in report.by_load().items()
    }


def _rounds(report: Report) -> Iterator[str]:
    """How much the rounds of each version differ."""
    many = {version.name: [each[1] for each in version.rounds] for version in report.versions}
    throughput = {name: _numbered([each.throughput for each in many[name]]) for name in many}
    cpu = {name: _numbered([each.system_cpu_ms for each in many[name]]) for name in many}
    load = report.versions[0].rounds[0][1].load
    yield line_plot(f"Throughput by round, {load}", "/s", throughput, "round")
    yield line_plot(f"CPU time per payment by round, {load}", "ms", cpu, "round")


def _numbered(values: Sequence[float]) -> list[tuple[float, float]]:
    return [(float(number), value) for number, value in enumerate(values, start=1)]


def _over_time(result: Result) -> Iterator[str]:
    responses = {
        "paid": [(float(each.at), float(each.paid)) for each in result.windows],
        "others": [(float(each.at), float(each.others)) for each in result.windows],
    }
    yield line_plot("Responses", "/s", responses)
    percentiles = {
        name: [
            (float(each.at), getattr(each.latencies, name))
            for each in result.windows
            if each.latencies
        ]
        for name in ("p50", "p95", "p99")
    }
    yield line_plot("Latency of what was paid in each second", "ms", percentiles)
