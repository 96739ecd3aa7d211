"""Each response is logged with its route and with the ids of its payment, without secrets."""

import httpx
import pytest

from api import middleware
from tests.support.fake_resources import BODY, CANARY, CUSTOMER, SUCCEEDED
from tests.support.log_lines import log_lines


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("POST", "/Payments", "/payments", 202),
        ("GET", f"/payments/{SUCCEEDED.id}?{CANARY}", "/payments/{paymentId}", 404),
        ("GET", f"/payments/{CANARY}", "/payments/{paymentId}", 400),
        ("GET", f"/{CANARY}", None, 404),
    ],
)
async def test_each_response_is_logged_with_its_route(
    http: httpx.AsyncClient, method: str, path: str, route: str | None, status: int
) -> None:
    with log_lines() as lines:
        await http.request(method, path, content=BODY, headers={"x-request-id": CUSTOMER})

    [line] = [each for each in lines if each["logger"] == middleware.__name__]
    assert line["event"] == "responded"
    assert (line["method"], line["route"], line["status"]) == (method, route, status)
    assert line["request_id"] == CUSTOMER
    assert CANARY not in str(line)


@pytest.mark.parametrize(
    ("method", "path", "ids"),
    [
        (
            "POST",
            "/payments",
            {"payment_id": str(SUCCEEDED.id), "order_id": str(SUCCEEDED.order_id)},
        ),
        ("GET", f"/payments/{SUCCEEDED.id}/timeline", {"payment_id": str(SUCCEEDED.id)}),
        ("GET", f"/payments/{SUCCEEDED.id}/refunds", {"payment_id": str(SUCCEEDED.id)}),
        ("GET", "/payments", {}),
    ],
)
async def test_the_line_of_a_response_has_the_ids_of_its_payment(
    http: httpx.AsyncClient, method: str, path: str, ids: dict[str, str]
) -> None:
    with log_lines() as lines:
        await http.request(method, path, content=BODY)

    [line] = [each for each in lines if each["logger"] == middleware.__name__]
    assert {name: line[name] for name in ("payment_id", "order_id") if name in line} == ids


async def test_that_the_service_runs_is_not_logged_each_time(http: httpx.AsyncClient) -> None:
    with log_lines() as lines:
        await http.get("/health")

    assert [each for each in lines if each["logger"] == middleware.__name__] == []
