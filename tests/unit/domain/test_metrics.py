"""The names of metrics never change: alerts and dashboards, also those of others, use them."""

from domain.metrics import METRICS

PINNED = {
    "payments_ended_total": ("status", "error_code"),
    "payment_duration_seconds": ("status",),
    "refunds_ended_total": ("status", "error_code"),
    "step_tries_total": ("step", "result"),
    "external_requests_total": ("service", "response"),
    "external_request_duration_seconds": ("service",),
    "events_published_total": ("topic", "result"),
    "api_requests_total": ("method", "route", "status"),
    "api_request_duration_seconds": ("method", "route"),
    "api_payments_in_progress": (),
    "api_concurrency_limit": (),
    "unfinished": ("kind",),
    "oldest_unfinished_seconds": ("kind",),
    "reconciliation_completed_timestamp_seconds": (),
    "workflows_needing_attention": (),
    "gauges_read_timestamp_seconds": ("source",),
}


def test_the_metrics_keep_their_names_and_labels() -> None:
    assert {each.exported_name: each.labels for each in METRICS} == PINNED


def test_no_label_is_that_of_the_process() -> None:
    """A series with the same label twice is no text of Prometheus."""
    assert not [each.name for each in METRICS if "process" in each.labels]


def test_each_metric_says_what_it_means() -> None:
    for each in METRICS:
        assert each.meaning.endswith("."), each.name
