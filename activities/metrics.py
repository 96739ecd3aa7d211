"""Metrics of requests to external services and of published events.

They are recorded with the meter of Temporal's SDK, which serves all metrics of the process to
Prometheus. If no address is configured, the meter records nothing. Every series that is known in
advance starts with the value 0, because Prometheus sees no increase in a series that starts with 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter

from temporalio.common import (
    MetricCounter,
    MetricGaugeFloat,
    MetricHistogramTimedelta,
    MetricMeter,
)

from domain import metrics
from domain.errors import ErrorCode, PaymentError
from domain.metrics import Metric
from domain.names import TOPICS

RESPONSES = ("2xx", "3xx", "4xx", "429", "5xx", metrics.NONE)
"""The values of the label `response`. 429 has its own, because it means that we send too much."""
PUBLISHED, REFUSED, UNAVAILABLE = "published", "refused", "unavailable"


def counter(meter: MetricMeter, metric: Metric) -> MetricCounter:
    return meter.create_counter(metric.name, metric.meaning)


def duration(meter: MetricMeter, metric: Metric) -> MetricHistogramTimedelta:
    return meter.create_histogram_timedelta(metric.name, metric.meaning, "duration")


def gauge(meter: MetricMeter, metric: Metric) -> MetricGaugeFloat:
    return meter.create_gauge_float(metric.name, metric.meaning)


class RequestMetrics:
    """Counts and measures the requests to one external service."""

    def __init__(self, meter: MetricMeter, service: str) -> None:
        self._service = {"service": service}
        self._requests = counter(meter, metrics.EXTERNAL_REQUESTS)
        self._duration = duration(meter, metrics.EXTERNAL_REQUEST_DURATION)
        for response in RESPONSES:
            self._requests.add(0, {**self._service, "response": response})

    @contextmanager
    def measured(self) -> Iterator["Response"]:
        """Count and measure the request of the block.

        The caller sets the status of the response that this yields, if the response is usable.
        """
        response, began = Response(), perf_counter()
        try:
            yield response
        finally:
            self._requests.add(1, {**self._service, "response": response.status_class})
            self._duration.record(timedelta(seconds=perf_counter() - began), self._service)


class Response:
    """The response to a request, if there was a usable one."""

    status: int | None = None

    @property
    def status_class(self) -> str:
        if self.status is None:
            return metrics.NONE
        known = str(self.status)
        return known if known in RESPONSES else f"{known[0]}xx"


class EventMetrics:
    """Counts the events that are sent to Kafka."""

    def __init__(self, meter: MetricMeter) -> None:
        self._events = counter(meter, metrics.EVENTS_PUBLISHED)
        for topic in TOPICS:
            for result in (PUBLISHED, REFUSED, UNAVAILABLE):
                self._events.add(0, {"topic": topic, "result": result})

    @contextmanager
    def counted(self, topic: str) -> Iterator[None]:
        """Count the event whose publication is tried in the block, by its result."""
        result = UNAVAILABLE
        try:
            yield
            result = PUBLISHED
        except PaymentError as error:
            if error.code is ErrorCode.EVENT_REFUSED:
                result = REFUSED
            raise
        finally:
            self._events.add(1, {"topic": topic, "result": result})
