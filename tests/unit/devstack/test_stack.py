"""The stack's errors, and the id of the Kafka cluster."""

import json
import os
import secrets
import sys
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from devstack.stack import prometheus
from devstack.stack.apps import API, Worker
from devstack.stack.errors import TAIL_LINES, ComponentError
from devstack.stack.kafka import cluster_id
from devstack.stack.process import Process
from devstack.stack.site import Site
from devstack.stack.stack import COMPONENTS, OPTIONAL, Stack
from devstack.stack.startup import PREPARE


@pytest.mark.parametrize("byte", [0x00, 0xF8, 0xFB, 0xFF])
def test_a_cluster_id_never_begins_with_a_hyphen(
    monkeypatch: pytest.MonkeyPatch, byte: int
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda count: bytes([byte]) * count)

    assert not cluster_id().startswith("-")
    assert len(urlsafe_b64decode(cluster_id() + "==")) == 16


def test_two_cluster_ids_differ() -> None:
    assert cluster_id() != cluster_id()


async def test_the_error_of_a_failed_process_ends_with_its_last_log_lines(tmp_path: Path) -> None:
    script = "print(*range(100), sep='\\n', flush=True); raise SystemExit('expected one argument')"

    with pytest.raises(ComponentError) as caught:
        await Process(tmp_path, "tool").run([sys.executable, "-c", script], os.environ)

    first, *tail = str(caught.value).splitlines()
    assert first == "tool: ended with code 1"
    assert len(tail) == TAIL_LINES
    assert tail[-2:] == ["99", "expected one argument"]


def test_the_error_of_a_component_without_a_log_is_its_name_and_the_reason(tmp_path: Path) -> None:
    error = ComponentError("tool", "no answer", tmp_path / "none.log")

    assert str(error) == "tool: no answer"


@pytest.mark.parametrize("optional", [(), OPTIONAL])
def test_a_stack_has_an_optional_component_only_if_it_is_asked_for(
    tmp_path: Path, optional: tuple[str, ...]
) -> None:
    names = {each.name for each in Stack(tmp_path, optional=optional).status()}

    assert names == {*COMPONENTS, *optional} - {PREPARE}


def test_the_double_sends_its_events_to_the_api_and_its_customers_to_the_shop(
    tmp_path: Path,
) -> None:
    environment = Stack(tmp_path, optional=OPTIONAL).environment()

    assert environment["STRIPE_WEBHOOK_URL"] == f"{environment['PAYMENT_API_URL']}/webhooks/stripe"
    assert environment["STRIPE_WEBHOOK_SECRET"] == environment["STRIPE_WEBHOOK_SECRETS"]
    page = f"{environment['SHOP_URL']}/payment?payment={{paymentId}}"
    assert environment["PAYMENT_RETURN_URL"] == page
    assert "PAYMENT_RETURN_URL" not in Stack(tmp_path).environment()


async def test_with_prometheus_api_and_worker_serve_their_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "_program", lambda: Path("prometheus"))
    site = Site(tmp_path, optional=["prometheus"])
    served = {each(site).variables["METRICS_ADDRESS"] for each in (API, Worker)}

    await prometheus.Prometheus(site).command()

    configuration = json.loads((tmp_path / "data/prometheus/prometheus.yml").read_text())
    read = {
        address
        for job in configuration["scrape_configs"]
        for group in job["static_configs"]
        for address in group["targets"]
    }
    assert read == served
    assert [Path(each).name for each in configuration["rule_files"]] == [
        *("recording.yml", "alerts.yml")
    ]


def test_without_prometheus_nothing_serves_metrics(tmp_path: Path) -> None:
    assert [each(Site(tmp_path)).variables for each in (API, Worker)] == [{}, {}]
