"""The HTTP interface: status, members, headers and media type of every response."""

from http import HTTPStatus
from uuid import UUID

import httpx
import pytest

from api.errors import title_of
from api.ports import Allowance
from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.support.fake_resources import (
    BODY,
    CUSTOMER,
    ORDER,
    PENDING,
    STRANGER,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)


async def test_a_success_is_returned_with_its_payment(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = SUCCEEDED

    answer = await http.post("/payments", content=BODY)

    body = envelope(answer, 200)
    assert (body["success"], body["errorMessage"]) == (True, None)
    assert body["payment"]["id"] == str(SUCCEEDED.id)
    assert answer.text.partition('"status":"')[2].startswith("succeeded")
    assert '"amount":150.00,' in answer.text
    assert [each.order_id for each in resources.started] == [UUID(ORDER)]


async def test_an_earlier_success_is_returned_again(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    body = envelope(await http.post("/payments", content=BODY), 200)

    assert body["payment"]["id"] == str(SUCCEEDED.id)
    assert resources.started == []


async def test_a_stranger_is_shown_no_payment(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    answer = await http.post("/payments", content=BODY.replace(CUSTOMER, STRANGER))

    assert problem(answer, ErrorCode.CUSTOMER_MISMATCH)["payment"] is None
    assert str(SUCCEEDED.id) not in answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("code", ErrorCode)
async def test_a_failure_is_returned_with_its_code(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.outcome = failed(code)

    answer = await http.post("/payments", content=BODY)

    body = problem(answer, code)
    assert body["errorMessage"] == f"It is {code}."
    assert ("retry-after" in answer.headers) is (answer.status_code == 503)
    assert ("www-authenticate" in answer.headers) is (answer.status_code in {401, 403})
    if code is ErrorCode.CUSTOMER_MISMATCH:
        assert body["payment"] is None
    else:
        assert body["payment"]["errorCode"] == code


async def test_a_code_of_another_version_is_returned_as_a_processor_error(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    failure = failed(ErrorCode.CARD_DECLINED)
    resources.outcome = failure.model_copy(update={"error_code": "FRAUD_SUSPECTED"})

    body = problem(await http.post("/payments", content=BODY), ErrorCode.PROCESSOR_ERROR)

    assert body["payment"]["errorCode"] == "FRAUD_SUSPECTED"


async def test_a_payment_that_has_not_begun_has_no_location(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    answer = await http.post("/payments", content=BODY)

    body = envelope(answer, 202)
    assert (body["success"], body["payment"]["status"]) == (False, "pending")
    assert "Send the same request again" in body["errorMessage"]
    assert "location" not in answer.headers
    assert int(answer.headers["retry-after"]) > 0


async def test_a_payment_that_takes_longer_is_accepted(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [PENDING]
    answer = await http.post("/payments", content=BODY)

    body = envelope(answer, 202)
    assert (body["success"], body["payment"]["status"]) == (False, "pending")
    assert body["payment"]["id"] == str(PENDING.id)
    assert answer.headers["location"] == f"/payments/{PENDING.id}"
    assert int(answer.headers["retry-after"]) > 0


async def test_a_success_that_may_be_undone_is_not_returned(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED.announced(Announcement.DUE)]

    answer = await http.post("/payments", content=BODY)
    assert envelope(answer, 202)["payment"]["status"] == "pending"
    read = envelope(await http.get(f"/payments/{SUCCEEDED.id}"), 200)
    assert (read["success"], read["payment"]["processedAt"]) == (False, None)

    resources.recorded = [SUCCEEDED.announced(Announcement.BEGUN)]
    assert envelope(await http.post("/payments", content=BODY), 200)["success"]


@pytest.mark.parametrize(
    ("ending", "status"), [(SUCCEEDED, 200), (failed(ErrorCode.CARD_DECLINED), 422)]
)
async def test_a_recorded_ending_is_returned_if_the_workflow_has_none(
    http: httpx.AsyncClient, resources: FakeResources, ending: Payment, status: int
) -> None:
    unseen_before = {"order_id": UUID(STRANGER)}
    resources.recorded = [ending.model_copy(update=unseen_before)]

    body = envelope(await http.post("/payments", content=BODY), status)

    assert body["payment"]["id"] == str(ending.id)
    assert len(resources.started) == 1


async def test_a_running_payment_is_joined(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded, resources.outcome = [PENDING], SUCCEEDED

    assert envelope(await http.post("/payments", content=BODY), 200)["success"]


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.PAYMENT_IN_PROGRESS,
        ErrorCode.DATABASE_UNAVAILABLE,
        ErrorCode.SERVICE_UNAVAILABLE,
    ],
)
async def test_a_payment_that_cannot_start_is_an_error_without_a_payment(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.failure = PaymentError(code, "Not now.")

    assert problem(await http.post("/payments", content=BODY), code)["payment"] is None


async def test_a_caller_over_the_rate_limit_is_refused(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.allowance = Allowance(True, requests=5, seconds=60, left=0, reset_seconds=7)

    for answer in (
        await http.post("/payments", content=BODY),
        await http.get(f"/payments/{PENDING.id}"),
    ):
        problem(answer, RequestErrorCode.TOO_MANY_REQUESTS)
        assert answer.headers["retry-after"] == "7"
        assert answer.headers["ratelimit"] == '"caller";r=0;t=7'
    assert resources.started == []
    assert (await http.get("/health")).status_code == 200


async def test_no_request_waits_for_a_thread(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyio.to_thread.run_sync", None)
    resources.outcome = SUCCEEDED

    envelope(await http.post("/payments", content=BODY), 200)


async def test_every_response_says_how_many_requests_are_left(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    for answer in (
        await http.post("/payments", content=BODY),
        await http.post("/payments", content="nonsense"),
        await http.get(f"/payments/{SUCCEEDED.id}"),
        await http.get(f"/payments/{ORDER}"),
    ):
        assert answer.headers["ratelimit-policy"] == '"caller";q=120;w=60'
        assert answer.headers["ratelimit"] == '"caller";r=119;t=60'


@pytest.mark.parametrize(
    ("status", "title"), [(413, "Request Entity Too Large"), (422, "Unprocessable Entity")]
)
def test_a_title_is_the_same_with_every_version_of_python(
    monkeypatch: pytest.MonkeyPatch, status: int, title: str
) -> None:
    """Python 3.13 has other words for these statuses."""
    monkeypatch.setattr(HTTPStatus(status), "phrase", "as a later Python says")

    assert title_of(HTTPStatus(status)) == title
