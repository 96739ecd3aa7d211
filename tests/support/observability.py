"""The alert rules, their test cases and the dashboards in `deploy/observability`, as data."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser
import yaml
from promql_parser import AggregateExpr, Expr, Matcher, MatchOp, VectorSelector

from domain.metrics import METRICS, Kind
from tests.support.repository import ROOT

FOLDER = ROOT / "deploy/observability"
RULES = ("recording.yml", "alerts.yml")
CASES = ("alerts_test.yml", "weeks_test.yml")
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))

OF_SDK = {
    "temporal_activity_execution_latency_seconds",
    "temporal_activity_schedule_to_start_latency_seconds",
    "temporal_local_activity_execution_latency_seconds",
    "temporal_num_pollers",
    "temporal_request_latency_seconds",
    "temporal_request_total",
    "temporal_sticky_cache_hit_total",
    "temporal_sticky_cache_size",
    "temporal_worker_task_slots_available",
    "temporal_worker_task_slots_used",
    "temporal_workflow_completed_total",
    "temporal_workflow_task_execution_latency_seconds",
    "temporal_workflow_task_replay_latency_seconds",
    "temporal_workflow_task_schedule_to_start_latency_seconds",
}
"""Metrics of Temporal's SDK that are served after the first payment."""
OF_SDK_AFTER_FAILURE = {
    "temporal_request_failure_total": {"namespace", "operation", "status_code"},
    "temporal_sticky_cache_total_forced_eviction_total": {"namespace", "task_queue"},
    "temporal_workflow_failed_total": {"namespace", "task_queue", "workflow_type"},
    "temporal_workflow_task_execution_failed_total": {
        *("namespace", "task_queue", "workflow_type"),
        "failure_reason",
    },
}
"""Metrics of Temporal's SDK that are served only after something has failed, with their labels."""
OF_PROMETHEUS = {"up"}
"""Metrics that Prometheus makes itself."""
OF_TARGETS = {"job", "instance", "process"}
"""Labels of every series: Prometheus sets the first two, bootstrap/temporal.py the third."""


class Alert(NamedTuple):
    name: str
    severity: str
    expression: str
    annotations: dict[str, str]


class Case(NamedTuple):
    """A case of promtool: which severities of an alert must fire."""

    alert: str
    severities: frozenset[str]


class Selector(NamedTuple):
    metric: str
    matchers: tuple[Matcher, ...]


def rules() -> list[dict[str, Any]]:
    groups = (yaml.safe_load((FOLDER / file).read_text())["groups"] for file in RULES)
    return [rule for each in groups for group in each for rule in group["rules"]]


def alerts() -> list[Alert]:
    return [
        Alert(rule["alert"], rule["labels"]["severity"], rule["expr"], rule["annotations"])
        for rule in rules()
        if "alert" in rule
    ]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def cases() -> Iterator[Case]:
    for file in CASES:
        for test in yaml.safe_load((FOLDER / file).read_text())["tests"]:
            for expected in test["promql_expr_test"]:
                if match := re.search(r'alertname="(\w+)"', expected["expr"]):
                    labels = str([sample["labels"] for sample in expected["exp_samples"]])
                    fired = re.findall(r'severity="(\w+)"', labels)
                    yield Case(match[1], frozenset(fired))


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each panel of each dashboard, with the dashboard's name."""
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            yield file.stem, panel


def plotted() -> list[str]:
    return [target["expr"] for _, panel in panels() for target in panel["targets"]]


def nodes(expression: str) -> list[Expr]:
    """All parts of an expression. Raises ValueError if it cannot be parsed."""
    found: list[Expr] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return found


def selectors(expression: str) -> list[Selector]:
    vectors = [each for each in nodes(expression) if isinstance(each, VectorSelector)]
    return [Selector(each.name or "", tuple(each.matchers.matchers)) for each in vectors]


def kept_labels(expression: str) -> set[str]:
    """The labels in the `by` clauses of the expression."""
    modifiers = [each.modifier for each in nodes(expression) if isinstance(each, AggregateExpr)]
    return {label for modifier in modifiers if modifier for label in modifier.labels}


def chosen_values(matcher: Matcher) -> list[str]:
    """The alternatives of a matcher, as regular expressions."""
    if matcher.op in (MatchOp.Re, MatchOp.NotRe):
        return matcher.value.split("|")
    return [re.escape(matcher.value)]


def series_of(name: str, kind: Kind) -> set[str]:
    """The names of the series in which Prometheus stores a metric with this name and kind."""
    if kind is Kind.DURATION:
        return {f"{name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
    return {name}


def own_series() -> dict[str, set[str]]:
    """The names of the series of each of our metrics."""
    return {each.exported_name: series_of(each.exported_name, each.kind) for each in METRICS}


def known_series() -> set[str]:
    own = set().union(*own_series().values())
    latencies = {each for each in OF_SDK if each.endswith("_seconds")}
    of_sdk = {name for each in latencies for name in series_of(each, Kind.DURATION)}
    return own | of_sdk | (OF_SDK - latencies) | {*OF_SDK_AFTER_FAILURE} | OF_PROMETHEUS
