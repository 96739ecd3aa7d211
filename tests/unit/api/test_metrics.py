"""The API counts its responses, and shows what is not finished."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from temporalio.service import RPCError, RPCStatusCode

from api import metrics as api_metrics
from api.admission import ConcurrencyLimit
from api.app import create_app
from api.metrics import Gauges, GaugeSources, kept_current
from domain import metrics
from domain.backlog import Unfinished, UnfinishedKind
from domain.errors import ErrorCode, PaymentError
from tests.support.fake_resources import BODY, CANARY, FakeResources
from tests.support.log_lines import log_lines
from tests.support.metered import Metered
from tests.support.waiting import eventually

MOMENT = datetime(2026, 11, 28, 12, tzinfo=UTC)
AGE = timedelta(minutes=3)


@pytest.fixture
def metered() -> Metered:
    return Metered()


@pytest.fixture
async def metered_http(metered: Metered) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = create_app(nullcontext, (), is_production=True, meter=metered.meter)  # type: ignore[arg-type]
    app.state.resources = FakeResources().build()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        yield client


async def test_each_response_is_counted_by_its_route(
    metered: Metered, metered_http: httpx.AsyncClient
) -> None:
    headers = {"content-type": "application/json"}
    await metered_http.post("/Payments", content=BODY, headers=headers)
    await metered_http.get(f"/payments/{CANARY}")
    await metered_http.get(f"/{CANARY}")
    await metered_http.request(CANARY.upper(), "/")

    assert metered.counted(metrics.API_REQUESTS) == {
        ("POST", "/payments", "202"): 1,
        ("GET", "/payments/{paymentId}", "400"): 1,
        ("other", "none", "404"): 2,
    }
    assert metered.seconds(metrics.API_REQUEST_DURATION).keys() == {
        ("POST", "/payments"),
        ("GET", "/payments/{paymentId}"),
        ("other", "none"),
    }


@pytest.mark.usefixtures("metered_http")
def test_the_series_of_documented_responses_and_of_bugs_begin_with_0(metered: Metered) -> None:
    series = metered.series(metrics.API_REQUESTS)

    assert {("POST", "/payments", each) for each in ("200", "202", "422", "500", "503")} <= series
    assert metered.counted(metrics.API_REQUESTS) == {}
    assert len(series) < 500


class Sources:
    """What the gauges are read from. The test sets it."""

    def __init__(self) -> None:
        self.limit = ConcurrencyLimit(20, slow_after_seconds=5)
        self.failure: Exception | None = None
        self.completed_at: datetime | None = MOMENT

    def build(self) -> GaugeSources:
        return GaugeSources(self.limit, self.unfinished, self.reconciled_at, self.count)

    async def unfinished(self) -> Sequence[Unfinished]:
        if isinstance(self.failure, PaymentError):
            raise self.failure
        return [Unfinished(UnfinishedKind.PENDING, 7, AGE)]

    async def reconciled_at(self) -> datetime | None:
        return self.completed_at

    async def count(self) -> int:
        if isinstance(self.failure, RPCError):
            raise self.failure
        return 2


async def read_once(metered: Metered, sources: Sources) -> dict[str, Any]:
    """The gauges after every source was read once."""
    async with kept_current(Gauges(metered.meter, sources.build())):
        await asyncio.sleep(0)
        await eventually("the limit is read", lambda: has(metered, metrics.CONCURRENCY_LIMIT))
        for _ in range(10):
            await asyncio.sleep(0)
    return {each.name: metered.gauges(each) for each in metrics.METRICS}


async def has(metered: Metered, metric: metrics.Metric) -> bool:
    return bool(metered.gauges(metric))


async def test_the_gauges_show_what_is_not_finished(metered: Metered) -> None:
    sources = Sources()
    with sources.limit.admitted():
        found = await read_once(metered, sources)

    assert found["unfinished"] == {("pending payments",): 7}
    assert found["oldest_unfinished_seconds"] == {("pending payments",): 180}
    assert found["reconciliation_completed_timestamp_seconds"] == {(): MOMENT.timestamp()}
    assert found["workflows_needing_attention"] == {(): 2}
    assert found["api_payments_in_progress"] == {(): 1}
    assert found["api_concurrency_limit"] == {(): sources.limit.current}
    now = datetime.now(UTC).timestamp()
    assert all(0 <= now - each < 60 for each in found["gauges_read_timestamp_seconds"].values())


async def test_without_a_round_the_reconciliation_is_at_0(metered: Metered) -> None:
    sources = Sources()
    sources.completed_at = None

    found = await read_once(metered, sources)

    assert found["reconciliation_completed_timestamp_seconds"] == {(): 0}


@pytest.mark.parametrize(
    ("failure", "silent", "other"),
    [
        (PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "away"), "postgresql", "temporal"),
        (RPCError("away", RPCStatusCode.UNAVAILABLE, b""), "temporal", "postgresql"),
    ],
)
async def test_a_source_that_does_not_respond_is_told_by_the_time_of_the_last_read(
    metered: Metered, failure: Exception, silent: str, other: str
) -> None:
    sources = Sources()
    sources.failure = failure
    with log_lines() as lines:
        found = await read_once(metered, sources)

    read_at = found["gauges_read_timestamp_seconds"]
    assert read_at[(silent,)] == 0
    assert read_at[(other,)] > 0
    assert f"the gauges of {silent} cannot be read: away" in [each["event"] for each in lines]


async def test_the_gauges_are_read_again_after_an_outage(
    metered: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_metrics, "READ_EVERY_SECONDS", 0.001)
    sources = Sources()
    sources.failure = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    async def is_read() -> bool:
        return metered.gauges(metrics.READ_AT).get(("temporal",), 0) > 0

    async with kept_current(Gauges(metered.meter, sources.build())):
        await eventually("PostgreSQL is read", lambda: has(metered, metrics.UNFINISHED))
        assert not await is_read()
        sources.failure = None
        await eventually("Temporal is read", is_read)
