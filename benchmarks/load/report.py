"""The report of a measurement: tables for terminal and page, and JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import NamedTuple

from benchmarks.load.costs import Costs
from benchmarks.load.figures import Comparison, Result, compare

HOW_LOADS = (
    "Throughput is payments that ended within the load. Latency is that of POST /payments; with "
    "arrivals at a rate, from the time at which the request should have been sent. CPU time is "
    "that of each process with its children, from the beginning of the load until all its payments "
    "have ended, by payment. `load` and `neighbours` measure, and are no part of the system. "
    "Memory is resident memory after the load. `others` are responses that were no success. "
    "`foreign` is how many processors other programs used, at most: near 0 on a quiet machine."
)
HOW_COSTS = (
    "One payment of each kind is counted alone, after the loads: workflow tasks and events in its "
    "history; requests to Temporal by the server's metrics, without polls for tasks; statements by "
    "PostgreSQL's log; requests to Ordering, Inventory and gateway by these; records by Kafka's "
    "offsets; commands by the MONITOR of Redis."
)

COSTS_HEAD = ("", "tasks", "events", "of versions", "Temporal", "SQL", "HTTP", "Kafka", "Redis")
"""The kind, then the members of `Costs`, in short words, because a terminal may be narrow."""


class Table(NamedTuple):
    """The first column is text, the others are numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Version:
    """One version of the service, measured in one or more rounds. A round has one result a load."""

    name: str
    rounds: Sequence[Sequence[Result]]
    costs: Mapping[str, Costs]


@dataclass(frozen=True)
class Report:
    """What was measured, where and when. With two versions, the first is the one before."""

    machine: Mapping[str, str]
    versions: Sequence[Version]

    def by_load(self) -> dict[str, Sequence[Result]]:
        """The results of all rounds, by load, and by version if there are two."""
        prefix = "{0}: " if len(self.versions) > 1 else ""
        return {
            prefix.format(version.name) + results[0].load: results
            for version in self.versions
            for results in zip(*version.rounds, strict=True)
        }

    def to_json(self) -> str:
        """All results and counts, and the ratios."""
        ratios = [{**each._asdict(), "ratio": each.ratio} for each in self.comparison()]
        return json.dumps(
            {**asdict(self), "comparison": ratios, "how": [HOW_LOADS, HOW_COSTS]}, indent=1
        )

    def comparison(self) -> Sequence[Comparison]:
        """Medians and ratios; nothing if only one version was measured."""
        if len(self.versions) == 1:
            return ()
        before, after = self.versions
        return compare(before.rounds, after.rounds)


def tables(report: Report) -> list[Table]:
    """All tables, the most important one first."""
    loads = report.by_load()
    cpu = {name: [each.cpu_ms for each in results] for name, results in loads.items()}
    memory = {name: [each.memory_mb for each in results] for name, results in loads.items()}
    return [
        *([_ratios(report.comparison())] if len(report.versions) > 1 else []),
        _loads(loads),
        _by_process("CPU time per payment, ms", cpu),
        _by_process("Memory, MB", memory),
        *(_costs(version) for version in report.versions),
    ]


def _ratios(comparison: Sequence[Comparison]) -> Table:
    rows = [
        [
            f"{each.figure}, {each.unit}".removesuffix(", "),
            *(f"{value:.1f}" for value in (each.before, each.after)),
            f"{each.ratio:.2f}",
        ]
        for each in comparison
    ]
    return Table("Medians of both versions", ("", "before", "after", "ratio"), rows)


def _loads(loads: Mapping[str, Sequence[Result]]) -> Table:
    times = ("p50 ms", "p95 ms", "p99 ms", "slowest")
    head = ("", "/s", *times, "CPU ms", "paid", "others", "their p50", "foreign")
    rows = [[name, *_figures(results)] for name, results in loads.items()]
    return Table("Loads (medians, if there are several rounds)", head, rows, HOW_LOADS)


def _figures(results: Sequence[Result]) -> list[str]:
    latencies = [each.latencies for each in results if each.latencies]
    spread = [f"{statistics.median(column):.0f}" for column in zip(*latencies, strict=True)]
    others = [each.other_latencies.p50 for each in results if each.other_latencies]
    return [
        f"{statistics.median(each.throughput for each in results):.1f}",
        *(spread or ["-"] * 4),
        f"{statistics.median(each.system_cpu_ms for each in results):.1f}",
        str(sum(each.paid for each in results)),
        str(sum(sum(each.other_statuses.values()) for each in results)),
        f"{statistics.median(others):.0f}" if others else "-",
        f"{max(each.foreign_cores for each in results):.2f}",
    ]


def _by_process(title: str, loads: Mapping[str, Sequence[Mapping[str, float]]]) -> Table:
    processes = list(dict.fromkeys(name for each in loads.values() for name in each[0]))
    rows = [
        [load, *(f"{statistics.median(each[name] for each in rounds):.1f}" for name in processes)]
        for load, rounds in loads.items()
    ]
    return Table(title, ("", *processes), rows)


def _costs(version: Version) -> Table:
    rows = [[kind, *map(str, astuple(costs))] for kind, costs in version.costs.items()]
    return Table(f"What one payment costs, {version.name}", COSTS_HEAD, rows, HOW_COSTS)
