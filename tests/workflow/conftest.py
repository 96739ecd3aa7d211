"""Fixtures: a harness of payments on Temporal's time-skipping server, for each test a new one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client

from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import server_time, time_skipping
from workflows import order_check, steps


@pytest.fixture(autouse=True)
def patient_workflows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives local tries and quick payments more time, because the machine may be busy."""
    monkeypatch.setattr(steps, "LOCAL_TRY", timedelta(seconds=9))
    monkeypatch.setattr(order_check, "VERIFIED_FOR", timedelta(seconds=10))


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[Client]:
    async with time_skipping() as client:
        yield client


@pytest.fixture(params=[False, True], ids=["the bank asks", "a hosted page"])
def hosted(request: pytest.FixtureRequest) -> bool:
    """Why a payment waits: the bank authenticates the customer, or the card is given on a page."""
    return bool(request.param)


@pytest.fixture
async def idle_harness(temporal: Client) -> SagaHarness:
    """A harness without a worker: the test starts it."""
    return SagaHarness(temporal, await server_time(temporal))


@pytest.fixture
async def harness(idle_harness: SagaHarness) -> AsyncIterator[SagaHarness]:
    async with idle_harness.worker():
        yield idle_harness


@pytest.fixture
async def harness_without_cache(idle_harness: SagaHarness) -> AsyncIterator[SagaHarness]:
    """A harness whose worker forgets a workflow after each task, and replays its history."""
    async with idle_harness.worker(max_cached_workflows=0):
        yield idle_harness
