"""A failure that was published is final for its order; one that was not can be tried again."""

import asyncio
from uuid import UUID

import httpx
import pytest

from api import row_reads
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.support.builders import NOON
from tests.support.fake_resources import (
    BODY,
    CUSTOMER,
    PENDING,
    STRANGER,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)

NOBODY = UUID(int=1)
KEY = {"idempotency-key": "k-1"}
DOWN = PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "The database does not answer.")
PUBLISHED = [Announcement.DUE, Announcement.BEGUN, Announcement.MADE]
OURS = [ErrorCode.DATABASE_UNAVAILABLE, ErrorCode.RECORD_REFUSED, ErrorCode.INVENTORY_UNAVAILABLE]


def published(code: ErrorCode, announcement: Announcement = Announcement.MADE) -> Payment:
    return PENDING.failed(PaymentError(code, f"It is {code}."), NOON, announcement)


@pytest.mark.parametrize("announcement", PUBLISHED)
@pytest.mark.parametrize("code", OURS)
async def test_a_published_failure_has_no_retry_after(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode, announcement: Announcement
) -> None:
    resources.outcome = published(code, announcement)

    answer = await http.post("/payments", content=BODY)

    body = problem(answer, code, 422)
    assert "place a new order" in body["errorMessage"]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("announcement", PUBLISHED)
@pytest.mark.parametrize(
    ("others", "code"),
    [({}, ErrorCode.ORDER_NOT_PENDING), ({"customer_id": NOBODY}, ErrorCode.CUSTOMER_MISMATCH)],
)
async def test_a_published_failure_closes_its_order_while_its_workflow_runs(
    in_progress: httpx.AsyncClient,
    resources: FakeResources,
    announcement: Announcement,
    others: dict[str, UUID],
    code: ErrorCode,
) -> None:
    declined = published(ErrorCode.CARD_DECLINED, announcement)
    resources.recorded = [declined.model_copy(update=others)]

    body = problem(await in_progress.post("/payments", content=BODY), code)

    assert body["payment"] is None


async def test_a_payment_in_progress_that_has_not_failed_is_waited_for(
    in_progress: httpx.AsyncClient, resources: FakeResources
) -> None:
    earlier = published(ErrorCode.CARD_DECLINED).model_copy(update={"id": NOBODY})
    for recorded in ([], [PENDING], [earlier, PENDING], [failed(ErrorCode.ORDER_NOT_PENDING)]):
        resources.recorded = recorded

        answer = await in_progress.post("/payments", content=BODY)

        problem(answer, ErrorCode.PAYMENT_IN_PROGRESS)


@pytest.fixture
def in_progress(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> httpx.AsyncClient:
    """The API while a different payment of the order runs."""

    async def refuse(_: object) -> None:
        raise PaymentError(ErrorCode.PAYMENT_IN_PROGRESS, "Another payment is being processed.")

    monkeypatch.setattr(resources.workflows, "start_or_join", refuse)
    return http


@pytest.mark.parametrize("code", OURS)
async def test_a_published_failure_is_kept_under_its_key(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.outcome = published(code)
    first = await http.post("/payments", content=BODY, headers=KEY)
    resources.recorded = [published(code)]

    again = await http.post("/payments", content=BODY, headers=KEY)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("code", "status"), [(ErrorCode.CARD_DECLINED, 422), (ErrorCode.PAYMENT_CANCELLED, 409)]
)
async def test_a_published_failure_keeps_a_status_that_is_final_anyway(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode, status: int
) -> None:
    resources.outcome = published(code)

    body = problem(await http.post("/payments", content=BODY), code, status)

    assert "place a new order" in body["errorMessage"]
    assert body["payment"]["errorMessage"] == f"It is {code}."


async def test_an_order_with_an_unpublished_failure_can_be_paid_again(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = failed(ErrorCode.ORDERING_UNAVAILABLE)

    answer = await http.post("/payments", content=BODY)

    assert "new order" not in problem(answer, ErrorCode.ORDERING_UNAVAILABLE)["errorMessage"]
    assert answer.headers["retry-after"] == "5"


async def test_in_progress_is_not_kept_under_a_key(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = failed(ErrorCode.PAYMENT_IN_PROGRESS)
    problem(await http.post("/payments", content=BODY, headers=KEY), ErrorCode.PAYMENT_IN_PROGRESS)
    resources.recorded = [failed(ErrorCode.PAYMENT_IN_PROGRESS)]
    resources.outcome = SUCCEEDED

    again = await http.post("/payments", content=BODY, headers=KEY)

    assert envelope(again, 200)["success"]
    assert "idempotent-replayed" not in again.headers


@pytest.mark.parametrize(
    "code", [ErrorCode.PAYMENT_IN_PROGRESS, ErrorCode.CARD_DECLINED, ErrorCode.ORDER_NOT_PENDING]
)
async def test_a_paid_order_is_paid_whatever_its_key_has_met(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.outcome = failed(code)
    await http.post("/payments", content=BODY, headers=KEY)
    paid = SUCCEEDED.model_copy(update={"id": SUCCEEDED.order_id})
    resources.recorded = [failed(code), paid]

    for _ in range(2):
        answer = await http.post("/payments", content=BODY, headers=KEY)
        assert envelope(answer, 200)["payment"]["id"] == str(paid.id)
    assert len(resources.started) == 1


async def test_callers_do_not_wait_for_an_event(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reads, "FIRST_READ_SECONDS", 0.01)
    monkeypatch.setattr(row_reads, "LONGEST_PAUSE_SECONDS", 0.01)
    resources.is_endless = True
    looks = iter([PENDING, SUCCEEDED.announced(Announcement.DUE)])
    begun = SUCCEEDED.announced(Announcement.BEGUN)

    async def find(_: object) -> Payment:
        return next(looks, begun)

    monkeypatch.setattr(resources.payments, "find", find)

    answer = await http.post("/payments", content=BODY)

    assert envelope(answer, 200)["payment"]["status"] == "succeeded"
    assert resources.cached[SUCCEEDED.id].announcement is Announcement.BEGUN


async def test_rows_are_read_early_after_one_that_was_useful(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reads, "FIRST_READ_SECONDS", 0.01)
    resources.is_endless = True
    begun = SUCCEEDED.announced(Announcement.BEGUN)

    async def find(_: object) -> Payment:
        return begun

    monkeypatch.setattr(resources.payments, "find", find)
    await http.post("/payments", content=BODY)
    monkeypatch.setattr(row_reads, "FIRST_READ_SECONDS", 3600)

    answer = await http.post("/payments", content=BODY)

    assert envelope(answer, 200)["payment"]["status"] == "succeeded"
    resources.is_endless = False
    resources.outcome = SUCCEEDED
    await http.post("/payments", content=BODY)
    assert next(resources.reads.pauses()) == 3600


async def test_callers_wait_for_a_workflow_that_has_nothing_to_publish(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reads, "FIRST_READ_SECONDS", 0.01)
    refused = failed(ErrorCode.AMOUNT_MISMATCH)
    looked = asyncio.Event()

    async def find(_: object) -> Payment:
        looked.set()
        return refused

    async def ended() -> Payment:
        await looked.wait()
        return SUCCEEDED

    monkeypatch.setattr(resources.payments, "find", find)
    monkeypatch.setattr(resources.workflows, "ended", ended)

    assert envelope(await http.post("/payments", content=BODY), 200)["success"]


@pytest.mark.parametrize("customer", [CUSTOMER, STRANGER])
async def test_the_success_that_a_workflow_carries_is_answered_in_place_of_its_own(
    http: httpx.AsyncClient, resources: FakeResources, customer: str
) -> None:
    success = SUCCEEDED.announced(Announcement.DUE)
    carried = success.model_copy(update={"id": UUID(int=5), "customer_id": UUID(customer)})
    resources.recorded = [carried]

    answer = await http.post("/payments", content=BODY)

    if customer == STRANGER:
        problem(answer, ErrorCode.CUSTOMER_MISMATCH)
        return
    assert envelope(answer, 202)["payment"]["id"] == str(carried.id)
    assert answer.headers["location"] == f"/payments/{carried.id}"


async def test_another_payment_that_is_pending_is_not_answered_in_its_place(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    other = PENDING.model_copy(update={"id": UUID(int=5)})
    resources.recorded = [other]

    answer = await http.post("/payments", content=BODY)

    assert envelope(answer, 202)["payment"]["id"] != str(other.id)


async def test_a_payment_that_is_undone_reads_as_pending_and_is_not_cancelled(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    error = PaymentError(ErrorCode.EVENT_REFUSED, "Kafka has no topic.")
    for undone in (PENDING, SUCCEEDED.announced(Announcement.DUE)):
        resources.recorded = [undone.compensating(error)]

        read = await http.get(f"/payments/{PENDING.id}")
        cancelled = await http.post(f"/payments/{PENDING.id}/cancel")

        assert envelope(read, 200)["payment"]["status"] == "pending"
        problem(cancelled, ErrorCode.PAYMENT_ENDED)
    assert resources.cancelled == []


async def test_a_key_that_cannot_be_reassigned_hides_no_answer(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def reassign(*_: object) -> None:
        raise DOWN

    monkeypatch.setattr(resources.keys, "reassign", reassign)
    resources.outcome = SUCCEEDED

    answer = await http.post("/payments", content=BODY, headers=KEY)

    assert envelope(answer, 200)["payment"]["status"] == "succeeded"


async def test_a_payment_that_cannot_be_read_is_still_accepted(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(_: object) -> None:
        raise DOWN

    monkeypatch.setattr(resources.payments, "find", find)

    envelope(await http.post("/payments", content=BODY), 202)
