"""Figures of loads: throughput and latencies, in all and over time; ratios of two versions."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.load.client import Request

LEAN = frozenset({"load", "neighbours"})
"""The processes of the measurement itself. What a payment costs does not include their CPU time."""


class Latencies(NamedTuple):
    """Percentiles, in milliseconds."""

    p50: float
    p95: float
    p99: float
    slowest: float

    @classmethod
    def of(cls, requests: Sequence[Request]) -> "Latencies | None":
        """None if there are no requests."""
        if not requests:
            return None
        ordered = sorted(1000 * each.seconds for each in requests)
        return cls(*(percentile(ordered, share) for share in (0.5, 0.95, 0.99, 1)))


class Window(NamedTuple):
    """One second of a load, by the time of the response; no latencies if nothing was paid."""

    at: int
    paid: int
    others: int
    latencies: Latencies | None


@dataclass(frozen=True)
class Result:
    """The figures of one load. `cpu_ms` is CPU time per payment, by process."""

    load: str
    seconds: float
    paid: int
    throughput: float
    """Payments per second."""
    latencies: Latencies | None
    other_statuses: Mapping[str, int]
    """How many requests were not successful, by the HTTP status of the response. The key `none` is
    for those without a response."""
    other_latencies: Latencies | None
    cpu_ms: Mapping[str, float]
    memory_mb: Mapping[str, float]
    windows: Sequence[Window]
    foreign_cores: float = 0.0
    """Processors that other programs have used meanwhile. If it is not near 0, measure again."""

    @property
    def system_cpu_ms(self) -> float:
        """CPU time per payment of the whole system, without what measures."""
        return sum(ms for name, ms in self.cpu_ms.items() if name not in LEAN)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The percentile of the sorted values by the nearest-rank method. `share` is from 0 to 1.

    At least this share of the values is not larger than the result.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarize(
    load: str,
    seconds: float,
    requests: Sequence[Request],
    cpu_seconds: Mapping[str, float],
    memory_bytes: Mapping[str, int],
) -> Result:
    """The figures of a load that lasted `seconds`. Payments that ended later have no throughput."""
    paid = [each for each in requests if each.is_paid]
    others = [each for each in requests if not each.is_paid]
    return Result(
        load=load,
        seconds=seconds,
        paid=len(paid),
        throughput=sum(each.ended <= seconds for each in paid) / seconds,
        latencies=Latencies.of(paid),
        other_statuses=Counter(str(each.status or "none") for each in others),
        other_latencies=Latencies.of(others),
        cpu_ms={name: 1000 * spent / max(len(paid), 1) for name, spent in cpu_seconds.items()},
        memory_mb={name: size / 2**20 for name, size in memory_bytes.items()},
        windows=_windows(requests),
    )


def _windows(requests: Sequence[Request]) -> list[Window]:
    by_second: dict[int, list[Request]] = {}
    for each in requests:
        by_second.setdefault(int(each.ended), []).append(each)
    windows = []
    for second in range(max(by_second, default=-1) + 1):
        ended = by_second.get(second, [])
        paid = [each for each in ended if each.is_paid]
        windows.append(Window(second, len(paid), len(ended) - len(paid), Latencies.of(paid)))
    return windows


class Comparison(NamedTuple):
    """The medians of one figure in both versions. The ratio is the second by the first."""

    figure: str
    unit: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        return self.after / self.before if self.before else math.inf


def compare(
    before: Sequence[Sequence[Result]], after: Sequence[Sequence[Result]]
) -> list[Comparison]:
    """Medians over rounds. A round has the results of one caller, and of many callers."""
    return [
        Comparison(
            name, unit, *(statistics.median(map(figure, rounds)) for rounds in (before, after))
        )
        for name, unit, figure in (
            ("p50 of one caller", "ms", lambda each: _p50(each[0])),
            (f"throughput, {after[0][1].load}", "/s", lambda each: each[1].throughput),
            (f"p50, {after[0][1].load}", "ms", lambda each: _p50(each[1])),
            (f"p95, {after[0][1].load}", "ms", lambda each: _p95(each[1])),
            (f"p95 by p50, {after[0][1].load}", "", lambda each: _p95(each[1]) / _p50(each[1])),
            ("CPU per payment, one caller", "ms", lambda each: each[0].system_cpu_ms),
            (f"CPU per payment, {after[0][1].load}", "ms", lambda each: each[1].system_cpu_ms),
        )
    ]


def _p50(result: Result) -> float:
    return result.latencies.p50 if result.latencies else math.nan


def _p95(result: Result) -> float:
    return result.latencies.p95 if result.latencies else math.nan
