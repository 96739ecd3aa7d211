"""Reads the values that were recorded with a meter of Temporal's SDK."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from temporalio.common import MetricMeter
from temporalio.runtime import (
    MetricBuffer,
    MetricBufferDurationFormat,
    Runtime,
    TelemetryConfig,
)

from domain.metrics import Metric

Labels = tuple[str, ...]
"""The values of a metric's labels, in the order in which it names them."""


class Metered:
    """A real meter, whose values stay in the process instead of being served."""

    def __init__(self) -> None:
        self._buffer = MetricBuffer(100_000, duration_format=MetricBufferDurationFormat.SECONDS)
        self._runtime = Runtime(
            telemetry=TelemetryConfig(metrics=self._buffer, attach_service_name=False)
        )
        self._values: dict[str, list[tuple[Mapping[str, Any], float]]] = defaultdict(list)

    @property
    def meter(self) -> MetricMeter:
        return self._runtime.metric_meter

    def series(self, metric: Metric) -> set[Labels]:
        """The labels of all series of a metric, including counters with the value 0."""
        return set(self._by_labels(metric))

    def counted(self, metric: Metric) -> dict[Labels, float]:
        """The value of each series of a counter by its labels, without series that are 0."""
        sums = {labels: sum(values) for labels, values in self._by_labels(metric).items()}
        return {labels: value for labels, value in sums.items() if value}

    def gauges(self, metric: Metric) -> dict[Labels, float]:
        return {labels: values[-1] for labels, values in self._by_labels(metric).items()}

    def seconds(self, metric: Metric) -> dict[Labels, list[float]]:
        """All values that were recorded for a duration, in seconds, by the labels of the series."""
        return self._by_labels(metric)

    def _by_labels(self, metric: Metric) -> dict[Labels, list[float]]:
        for update in self._buffer.retrieve_updates():
            self._values[update.metric.name].append((update.attributes, update.value))
        found: dict[Labels, list[float]] = defaultdict(list)
        for attributes, value in self._values[metric.name]:
            assert attributes.keys() == set(metric.labels)
            found[tuple(str(attributes[each]) for each in metric.labels)].append(value)
        return dict(found)
