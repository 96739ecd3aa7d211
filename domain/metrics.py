"""The metrics of this service: their names in Prometheus, their labels, and what they say."""

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a metric counts or measures. The value is the suffix of its name in Prometheus."""

    COUNTER = "_total"
    DURATION = "_seconds"
    GAUGE = ""


class Metric(NamedTuple):
    """One metric. Its name and labels must never change: alerts and dashboards use them."""

    kind: Kind
    name: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def exported_name(self) -> str:
        """The name in Prometheus, where the series of a duration also end in `_bucket` etc."""
        return self.name + self.kind


PAYMENTS_ENDED: Final = Metric(
    Kind.COUNTER,
    "payments_ended",
    ("status", "error_code"),
    "Payments whose workflow has ended. error_code is none for a success.",
)
PAYMENT_DURATION: Final = Metric(
    Kind.DURATION,
    "payment_duration",
    ("status",),
    "Time from the start of a payment's workflow to its end.",
)
REFUNDS_ENDED: Final = Metric(
    Kind.COUNTER,
    "refunds_ended",
    ("status", "error_code"),
    "Refunds whose workflow has ended. error_code is none for a success.",
)
STEP_TRIES: Final = Metric(
    Kind.COUNTER,
    "step_tries",
    ("step", "result"),
    "Tries of a step: succeeded, failed (it is tried again), refused (it is not).",
)
EXTERNAL_REQUESTS: Final = Metric(
    Kind.COUNTER,
    "external_requests",
    ("service", "response"),
    "Requests to an external service, by the class of the response; none if there was no usable "
    "one.",
)
EXTERNAL_REQUEST_DURATION: Final = Metric(
    Kind.DURATION,
    "external_request_duration",
    ("service",),
    "Time from such a request to its response, or to the time limit.",
)
EVENTS_PUBLISHED: Final = Metric(
    Kind.COUNTER,
    "events_published",
    ("topic", "result"),
    "Events sent to Kafka: published, unavailable (it is tried again), refused.",
)
API_REQUESTS: Final = Metric(
    Kind.COUNTER,
    "api_requests",
    ("method", "route", "status"),
    "Requests that the API has responded to. route is none for an unknown path.",
)
API_REQUEST_DURATION: Final = Metric(
    Kind.DURATION,
    "api_request_duration",
    ("method", "route"),
    "Time until the API has responded.",
)
PAYMENTS_IN_PROGRESS: Final = Metric(
    Kind.GAUGE,
    "api_payments_in_progress",
    (),
    "Callers of this process that wait for their payment.",
)
CONCURRENCY_LIMIT: Final = Metric(
    Kind.GAUGE,
    "api_concurrency_limit",
    (),
    "How many callers of this process may wait for their payment at the moment.",
)
UNFINISHED: Final = Metric(
    Kind.GAUGE,
    "unfinished",
    ("kind",),
    "Payments and refunds that are not finished, by kind, as PostgreSQL has them.",
)
OLDEST_UNFINISHED: Final = Metric(
    Kind.GAUGE,
    "oldest_unfinished_seconds",
    ("kind",),
    "Age of the oldest of them; 0 if there is none.",
)
RECONCILED_AT: Final = Metric(
    Kind.GAUGE,
    "reconciliation_completed_timestamp_seconds",
    (),
    "When the last round of the reconciliation was completed (Unix time); 0 if never.",
)
NEED_ATTENTION: Final = Metric(
    Kind.GAUGE,
    "workflows_needing_attention",
    (),
    "Running workflows that ask for a person.",
)
READ_AT: Final = Metric(
    Kind.GAUGE,
    "gauges_read_timestamp_seconds",
    ("source",),
    "When this process has last read the gauges of postgresql and of temporal (Unix time).",
)

METRICS: Final = (
    PAYMENTS_ENDED,
    PAYMENT_DURATION,
    REFUNDS_ENDED,
    STEP_TRIES,
    EXTERNAL_REQUESTS,
    EXTERNAL_REQUEST_DURATION,
    EVENTS_PUBLISHED,
    API_REQUESTS,
    API_REQUEST_DURATION,
    PAYMENTS_IN_PROGRESS,
    CONCURRENCY_LIMIT,
    UNFINISHED,
    OLDEST_UNFINISHED,
    RECONCILED_AT,
    NEED_ATTENTION,
    READ_AT,
)
"""Every metric of ours. Those of Temporal's SDK begin with `temporal_`."""

NONE: Final = "none"
"""The value of a label that does not apply. In Prometheus, an empty label is the same as none."""
OTHER: Final = "other"
"""The value of a label for everything that is not listed, so that the number of series is
bounded."""
