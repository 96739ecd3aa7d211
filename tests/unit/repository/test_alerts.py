"""Alert rules and dashboards use metrics that exist, and each alert has its paragraph and cases."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from activities.metrics import PUBLISHED, REFUSED, RESPONSES, UNAVAILABLE
from bootstrap.temporal import BUCKETS
from domain.backlog import UnfinishedKind
from domain.errors import ErrorCode
from domain.metrics import METRICS, NONE, OTHER
from domain.names import TOPICS
from domain.timeline import Source
from tests.support import observability
from tests.support.contract import openapi
from tests.support.observability import CASES, DASHBOARDS, FOLDER, Alert, Case, Selector
from tests.support.repository import ROOT
from tests.unit.repository.test_references import anchors
from workflows.metrics import FAILED, SUCCEEDED
from workflows.metrics import REFUSED as REFUSED_STEP
from workflows.queues import LIMITS
from workflows.worker import WORKFLOWS

ALERTS = observability.alerts()
PAIRS = sorted({(alert.name, alert.severity) for alert in ALERTS})
FOUND = [*observability.cases()]
EXPRESSIONS = sorted({*(rule["expr"] for rule in observability.rules()), *observability.plotted()})
PATHS = openapi()["paths"]
STATUSES = {
    status for path in PATHS.values() for each in path.values() for status in each["responses"]
}
KNOWN_VALUES: Mapping[str, set[str]] = {
    "kind": {*UnfinishedKind},
    "source": {Source.POSTGRESQL, Source.TEMPORAL},
    "service": {"gateway", "stripe", "ordering", "inventory"},
    "response": {*RESPONSES},
    "status": {*STATUSES, SUCCEEDED, FAILED},
    "route": {*PATHS, NONE},
    "method": {*(method.upper() for path in PATHS.values() for method in path), OTHER},
    "error_code": {*ErrorCode, NONE, OTHER},
    "result": {SUCCEEDED, FAILED, REFUSED_STEP, PUBLISHED, REFUSED, UNAVAILABLE},
    "topic": {*TOPICS},
    "task_queue": {*LIMITS},
    "workflow_type": {each.__name__ for each in WORKFLOWS},
    "poller_type": {"workflow_task", "sticky_workflow_task", "activity_task"},
    "failure_reason": {"NonDeterminismError", "WorkflowError", "GrpcMessageTooLarge"},
    "process": {"api", "worker"},
    "job": {
        each["job_name"]
        for each in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    },
    "le": {f"{bucket:g}" for bucket in BUCKETS} | {str(float(bucket)) for bucket in BUCKETS},
}
LABELS = {metric.exported_name: {*metric.labels} for metric in METRICS}


def test_every_rule_and_panel_is_there() -> None:
    assert {"PaymentsUnavailable", "WorkersGone"} <= {alert.name for alert in ALERTS}
    assert [file.stem for file in DASHBOARDS] == ["payments", "workers"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_uses_metrics_and_labels_that_exist(expression: str) -> None:
    known = observability.known_series() | observability.recorded()

    for selector in observability.selectors(expression):
        assert selector.metric in known
        check_labels(selector)
    assert observability.kept_labels(expression) <= {*KNOWN_VALUES, *OF_SDK_LABELS}


OF_SDK_LABELS = {"activity_type", "operation", "status_code", "worker_type", "step"}
"""Labels whose values no alert chooses."""


def check_labels(selector: Selector) -> None:
    for matcher in selector.matchers:
        for value in observability.chosen_values(matcher):
            known = KNOWN_VALUES[matcher.name]
            assert any(re.fullmatch(value, each) for each in known), (matcher.name, value)
        allowed = labels_of(selector.metric)
        assert allowed is None or matcher.name in allowed | observability.OF_TARGETS | {"le"}


def labels_of(series: str) -> set[str] | None:
    """The labels of a metric of ours, or of Temporal's SDK if they are listed."""
    base = re.sub("_(bucket|sum|count)$", "", series)
    return LABELS.get(base) or observability.OF_SDK_AFTER_FAILURE.get(series)


@pytest.mark.parametrize(
    "selector",
    [
        'unfinished{kind="payments"}',
        'api_requests_total{kind="refunds"}',
        'external_requests_total{response=~"5xx|500"}',
    ],
)
def test_a_label_or_value_that_does_not_exist_is_noticed(selector: str) -> None:
    with pytest.raises(AssertionError):
        check_labels(*observability.selectors(selector))


@pytest.mark.parametrize("file", CASES)
def test_the_cases_use_series_that_exist(file: str) -> None:
    tests = yaml.safe_load((FOLDER / file).read_text())["tests"]
    series = {each["series"] for test in tests for each in test.get("input_series", ())}

    for text in series:
        [selector] = observability.selectors(text)
        assert selector.metric in observability.known_series()
        if 'job="node"' not in text and 'le="+Inf"' not in text:
            check_labels(Selector(selector.metric, tuple(without_target(selector))))


def without_target(selector: Selector) -> list[Any]:
    return [each for each in selector.matchers if each.name not in {"instance", "namespace"}]


def test_every_metric_of_ours_is_plotted() -> None:
    plotted = {
        each.metric for text in observability.plotted() for each in observability.selectors(text)
    }
    recorded = {rule["record"]: rule["expr"] for rule in observability.rules() if "record" in rule}
    sources = [recorded[name] for name in plotted & recorded.keys()]
    plotted |= {each.metric for text in sources for each in observability.selectors(text)}

    missing = {name for name, series in observability.own_series().items() if not series & plotted}
    assert missing == set()


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_reads_the_data_source_that_its_reader_chooses(file: Any) -> None:
    dashboard = json.loads(file.read_text())
    panels = dashboard["panels"]

    assert [each["type"] for each in dashboard["templating"]["list"]] == ["datasource"]
    assert {each["datasource"]["uid"] for each in panels} == {"${datasource}"}
    assert len({each["id"] for each in panels}) == len({each["title"] for each in panels})
    assert len({each["id"] for each in panels}) == len(panels)
    assert not any(overlap(one, other) for one in panels for other in panels if one is not other)


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    a, b = one["gridPos"], other["gridPos"]
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    return not (beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}, {alert.severity}")
def test_an_alert_says_what_it_means_and_leads_to_its_paragraph(alert: Alert) -> None:
    assert alert.severity in {"page", "ticket"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    page, _, anchor = alert.annotations["runbook_url"].partition("#")
    assert anchor == alert.name.lower()
    assert anchor in anchors(ROOT / page)


@pytest.mark.parametrize(("name", "severity"), PAIRS)
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(
    name: str, severity: str
) -> None:
    own = [case for case in FOUND if case.alert == name]

    assert any(severity in case.severities for case in own)
    assert Case(name, frozenset()) in own


def test_no_case_is_about_an_alert_that_does_not_exist() -> None:
    fired = {(case.alert, severity) for case in FOUND for severity in case.severities}

    assert fired == {*PAIRS}
    assert {case.alert for case in FOUND} == {alert.name for alert in ALERTS}


def test_every_alert_has_one_paragraph_with_its_parts() -> None:
    text = (ROOT / "docs/alerts.md").read_text().partition("\n## The alerts\n")[2]
    paragraphs = dict(re.findall(r"^### (\w+)\n(.*?)(?=^###? |\Z)", text, re.DOTALL | re.MULTILINE))

    assert [*paragraphs] == [*dict.fromkeys(alert.name for alert in ALERTS)]
    for name, paragraph in paragraphs.items():
        parts = re.findall(r"^- \*\*([\w ]+)\*\*:", paragraph, flags=re.MULTILINE)
        assert parts == ["Look at", "Do", "Never"], name
        severities = {each.severity for each in ALERTS if each.name == name}
        said = paragraph.partition(".*")[0].lower()
        assert set(re.findall(r"\b(page|ticket)\b", said)) == severities, name
