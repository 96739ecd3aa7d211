"""Throughput, percentiles and ratios are what a reader takes them for."""

import pytest

from benchmarks.load.client import Request
from benchmarks.load.figures import Latencies, Result, Window, compare, percentile, summarize


def a_request(ended: float, seconds: float = 0.1, status: int | None = 200) -> Request:
    return Request(ended - seconds, ended, status)


def a_result(load: str, **changes: object) -> Result:
    requests = [a_request(0.5, 0.2), a_request(1.5, 0.4)]
    result = summarize(load, 2, requests, {"api": 0.02, "worker": 0.1, "load": 1.0}, {})
    return Result(**{**vars(result), **changes})


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100), (0.001, 1)]
)
def test_a_percentile_is_the_smallest_value_that_covers_its_share(
    share: float, value: float
) -> None:
    assert percentile(range(1, 101), share) == value


def test_percentiles_of_one_value_are_that_value() -> None:
    assert Latencies.of([a_request(1, 0.25)]) == (250, 250, 250, 250)


def test_throughput_is_of_payments_that_ended_within_the_load() -> None:
    requests = [a_request(1), a_request(2), a_request(2.1), a_request(1.5, status=503)]

    result = summarize("2 callers", 2, requests, {}, {})

    assert (result.throughput, result.paid) == (1, 3)
    assert result.other_statuses == {"503": 1}


def test_cpu_time_is_by_payment_and_without_what_measures() -> None:
    result = a_result("one caller")

    assert result.cpu_ms == {"api": 10, "worker": 50, "load": 500}
    assert result.system_cpu_ms == 60


def test_every_second_has_a_window_also_one_without_payments() -> None:
    requests = [a_request(0.2, 0.1), a_request(2.9, 0.3), a_request(2.1, 0.2)]
    requests += [a_request(2.5, status=503)]

    windows = summarize("one caller", 3, requests, {}, {}).windows

    assert [each[:3] for each in windows] == [(0, 1, 0), (1, 0, 0), (2, 2, 1)]
    assert windows[1] == Window(1, 0, 0, None)
    assert windows[2].latencies is not None
    assert windows[2].latencies.p99 == pytest.approx(300)


def test_a_load_without_a_payment_has_no_latencies() -> None:
    result = summarize("one caller", 2, [a_request(1, status=None)], {"api": 1}, {})

    assert result.latencies is None
    assert result.windows[1:] == [Window(1, 0, 1, None)]
    assert result.other_statuses == {"none": 1}
    assert result.other_latencies is not None
    assert result.other_latencies.p50 == pytest.approx(100)


def test_ratios_are_of_the_medians_of_all_rounds() -> None:
    def a_round(throughput: float) -> list[Result]:
        return [a_result("one caller"), a_result("32 callers", throughput=throughput)]

    before, after = [a_round(8), a_round(100), a_round(10)], [a_round(20), a_round(21), a_round(0)]

    ratios = {each.figure: each for each in compare(before, after)}

    assert ratios["throughput, 32 callers"][2:] == (10, 20)
    assert ratios["throughput, 32 callers"].ratio == 2
    assert ratios["p50 of one caller"].ratio == 1
    assert ratios["CPU per payment, 32 callers"].before == 60
    assert ratios["p95 by p50, 32 callers"].after == pytest.approx(2)
