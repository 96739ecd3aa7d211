"""Requests to external services and events are counted by what comes of them."""

import asyncio

import httpx
import pytest
from temporalio.common import MetricMeter

from activities.adapters.json_client import JsonClient
from activities.metrics import RESPONSES, EventMetrics
from domain import metrics
from domain.errors import ErrorCode, PaymentError
from domain.names import TOPIC_FAILED, TOPICS
from tests.support.metered import Metered


@pytest.fixture
def metered() -> Metered:
    return Metered()


def client(meter: MetricMeter, handler: httpx.MockTransport, seconds: float = 30) -> JsonClient:
    http = httpx.AsyncClient(transport=handler, base_url="http://gateway")
    return JsonClient(http, "The payment gateway", ErrorCode.GATEWAY_UNAVAILABLE, seconds, meter)


@pytest.mark.parametrize(
    ("status", "body", "response"),
    [
        (200, "{}", "2xx"),
        (302, "{}", "3xx"),
        (404, "not JSON", "4xx"),
        (429, "", "429"),
        (503, "", "5xx"),
        (200, "not JSON", metrics.NONE),
    ],
)
async def test_a_request_is_counted_by_the_class_of_its_response(
    metered: Metered, status: int, body: str, response: str
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=body))
    try:
        await client(metered.meter, transport).request("GET", "/")
    except PaymentError as error:
        assert error.code is ErrorCode.GATEWAY_UNAVAILABLE  # noqa: PT017 (some raise, some do not)

    assert metered.counted(metrics.EXTERNAL_REQUESTS) == {("gateway", response): 1}
    assert len(metered.seconds(metrics.EXTERNAL_REQUEST_DURATION)[("gateway",)]) == 1


async def test_a_request_without_a_response_in_time_is_counted(metered: Metered) -> None:
    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(600)
        raise AssertionError

    with pytest.raises(PaymentError):
        await client(metered.meter, httpx.MockTransport(silent), 0.01).request("GET", "/")

    assert metered.counted(metrics.EXTERNAL_REQUESTS) == {("gateway", metrics.NONE): 1}
    [seconds] = metered.seconds(metrics.EXTERNAL_REQUEST_DURATION)[("gateway",)]
    assert seconds >= 0.01


def test_every_series_of_requests_begins_with_0(metered: Metered) -> None:
    client(metered.meter, httpx.MockTransport(lambda _: httpx.Response(200)))

    assert metered.series(metrics.EXTERNAL_REQUESTS) == {("gateway", each) for each in RESPONSES}
    assert metered.counted(metrics.EXTERNAL_REQUESTS) == {}


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "published"),
        (PaymentError(ErrorCode.EVENT_REFUSED, "too long"), "refused"),
        (PaymentError(ErrorCode.EVENTS_UNAVAILABLE, "away"), "unavailable"),
        (asyncio.CancelledError(), "unavailable"),
    ],
)
def test_an_event_is_counted_by_what_comes_of_it(
    metered: Metered, error: BaseException | None, result: str
) -> None:
    counts = EventMetrics(metered.meter)
    try:
        with counts.counted(TOPIC_FAILED):
            if error is not None:
                raise error
    except (PaymentError, asyncio.CancelledError) as raised:
        assert raised is error  # noqa: PT017 (one of the cases raises nothing)

    assert metered.counted(metrics.EVENTS_PUBLISHED) == {(TOPIC_FAILED, result): 1}
    results = ("published", "refused", "unavailable")
    assert metered.series(metrics.EVENTS_PUBLISHED) == {
        (topic, each) for topic in TOPICS for each in results
    }
