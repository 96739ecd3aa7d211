"""Reading a payment over HTTP: its state, the cache, HEAD, and conditional requests."""

import httpx
import pytest

from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from tests.support.fake_resources import (
    BODY,
    FRONT_END,
    ORDER,
    PENDING,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}'])
async def test_a_response_that_the_caller_has_is_not_sent_again(
    http: httpx.AsyncClient, resources: FakeResources, known: str
) -> None:
    resources.recorded = [PENDING]
    address = f"/payments/{PENDING.id}"
    tag = (await http.get(address)).headers["etag"]
    headers = {"if-none-match": known.format(tag)}

    again = await http.get(address, headers=headers)
    resources.recorded = [SUCCEEDED]
    changed = await http.get(address, headers=headers)

    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["etag"], again.headers["cache-control"]) == (tag, "no-store")
    assert envelope(changed, 200)["success"]
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("payment", "success", "message"),
    [
        (SUCCEEDED, True, None),
        (PENDING, False, None),
        (failed(ErrorCode.CARD_DECLINED), False, "It is CARD_DECLINED."),
    ],
    ids=["succeeded", "pending", "failed"],
)
async def test_a_payment_is_read_as_it_stands(
    http: httpx.AsyncClient,
    resources: FakeResources,
    payment: Payment,
    success: bool,
    message: str | None,
) -> None:
    resources.recorded = [payment]

    answer = await http.get(f"/payments/{payment.id}")

    body = envelope(answer, 200)
    assert (body["success"], body["errorMessage"]) == (success, message)
    assert body["payment"]["status"] == payment.status
    assert answer.headers["cache-control"] == "no-store"


async def test_a_cached_payment_is_not_read_from_the_database(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = SUCCEEDED
    await http.post("/payments", content=BODY)

    assert envelope(await http.get(f"/payments/{SUCCEEDED.id}"), 200)["success"]


async def test_while_the_database_is_down_reading_is_unavailable(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.failure = PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "Not now.")

    answer = await http.get(f"/payments/{PENDING.id}")

    problem(answer, ErrorCode.DATABASE_UNAVAILABLE)
    assert int(answer.headers["retry-after"]) > 0


async def test_an_unknown_payment_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/payments/{PENDING.id}")

    assert problem(answer, ErrorCode.PAYMENT_NOT_FOUND)["payment"] is None


GETS = (
    *("/health", "/ready", "/Payments", "/payments?limit=1", f"/payments/{SUCCEEDED.id}"),
    *(f"/payments/{SUCCEEDED.id}/timeline", f"/payments/{SUCCEEDED.id}/refunds"),
    *(f"/payments/{SUCCEEDED.id}/refunds/{ORDER}", f"/payments/{ORDER}", "/payments/1", "/refunds"),
    *("/payments?limit=0", f"/payments/{SUCCEEDED.id}/cancel", "/openapi.json", "/docs"),
)


@pytest.mark.parametrize("path", GETS)
async def test_head_is_answered_as_get_is_without_the_body(
    http: httpx.AsyncClient, resources: FakeResources, path: str
) -> None:
    resources.recorded = [SUCCEEDED]
    headers = {"x-request-id": ORDER, "origin": FRONT_END}

    get = await http.get(path, headers=headers)
    head = await http.head(path, headers=headers)

    assert (head.status_code, head.headers) == (get.status_code, get.headers)
    assert int(head.headers["content-length"]) == len(get.content) > 0


async def test_head_of_what_is_known_is_not_modified(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]
    address = f"/payments/{SUCCEEDED.id}"
    tag = (await http.head(address)).headers["etag"]

    assert (await http.head(address, headers={"if-none-match": tag})).status_code == 304


async def test_head_pays_nothing(http: httpx.AsyncClient, resources: FakeResources) -> None:
    await http.request("HEAD", "/payments", content=BODY)
    await http.request("HEAD", f"/payments/{ORDER}/cancel")

    assert (resources.started, resources.cancelled) == ([], [])
