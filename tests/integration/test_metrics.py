"""API and worker serve their metrics to Prometheus, where the settings say so."""

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from devstack.stack.ports import HOST
from domain.metrics import METRICS, Kind
from tests.integration.test_starts import start
from tests.support.observability import OF_SDK
from tests.support.system import System
from tests.support.waiting import eventually

pytestmark = pytest.mark.proof  # half a minute: API and worker are started again twice

Scrape = dict[str, dict[str, float]]
"""For each metric, the value of each series by its labels without `process`."""


@pytest.fixture(scope="module")
async def metered(system: System) -> AsyncIterator[dict[str, str]]:
    """Where API and worker serve their metrics in the tests here, after a success and a decline."""
    ports = system.stack.site.ports
    addresses = {
        "api": f"{HOST}:{ports.api_metrics}",
        "worker": f"{HOST}:{ports.worker_metrics}",
    }
    for name, address in addresses.items():
        await system.stack.restart(name, environment={"METRICS_ADDRESS": address})
    orders = [await system.an_order(), await system.an_order("10.13")]
    assert [(await system.pay(each)).status for each in orders] == [200, 422]
    yield addresses
    for name in addresses:
        await system.stack.restart(name, environment={})


async def scrape(address: str) -> Scrape:
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://{address}/metrics")).text
    found: Scrape = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "process"}
            found.setdefault(sample.name, {})[str(sorted(labels.items()))] = sample.value
    return found


def series(**labels: str) -> str:
    return str(sorted(labels.items()))


async def test_the_metrics_of_a_success_and_a_decline_are_served(metered: dict[str, str]) -> None:
    async def is_counted() -> bool:
        ended = (await scrape(metered["worker"]))["payments_ended_total"]
        return ended[series(status="failed", error_code="CARD_DECLINED")] == 1

    await eventually("the decline is counted", is_counted)
    worker, api = await scrape(metered["worker"]), await scrape(metered["api"])
    assert worker["payments_ended_total"][series(status="succeeded", error_code="none")] == 1
    tries = worker["step_tries_total"][series(step="charge", result="succeeded")]
    assert tries == 2  # a decline is a result
    assert worker["external_requests_total"][series(service="ordering", response="2xx")] >= 2
    published = series(topic="payment-succeeded", result="published")
    assert worker["events_published_total"][published] == 1
    request = {"method": "POST", "route": "/payments"}
    assert api["api_requests_total"][series(**request, status="200")] == 1
    assert api["api_requests_total"][series(**request, status="422")] == 1
    assert api["api_request_duration_seconds_count"][series(**request)] == 2


async def test_every_metric_is_served(metered: dict[str, str]) -> None:
    """Gauges and counters are there from the start; durations come with the first payment."""
    expected = OF_SDK | {
        f"{each.exported_name}_bucket" if each.kind is Kind.DURATION else each.exported_name
        for each in METRICS
    }

    async def are_served() -> bool:
        found = {*(await scrape(metered["worker"])), *(await scrape(metered["api"]))}
        return found | {name.removesuffix("_bucket") for name in found} >= expected

    await eventually("every metric is served", are_served)


async def test_a_port_that_is_taken_is_named(system: System, metered: dict[str, str]) -> None:
    address = metered["api"]
    for module in ("api.main", "workflows.worker"):
        *_, last = (await start(system, module, METRICS_ADDRESS=address)).splitlines()

        assert last.startswith(f"The metrics cannot be served at {address} (")
        assert last.endswith("Stop what listens there, or set METRICS_ADDRESS.")


async def test_without_an_address_nothing_is_served(system: System) -> None:
    """The other processes of the tests have none."""
    assert "METRICS_ADDRESS" not in system.stack.environment()
