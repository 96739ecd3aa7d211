"""Cancelling a payment over HTTP."""

import httpx
import pytest

from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.support.fake_resources import (
    PENDING,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [(PENDING, ErrorCode.SERVICE_UNAVAILABLE), (SUCCEEDED, ErrorCode.PAYMENT_ENDED)],
)
async def test_a_payment_may_end_while_it_is_being_cancelled(
    http: httpx.AsyncClient,
    resources: FakeResources,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Payment,
    code: ErrorCode,
) -> None:
    async def come_too_late(_: Payment) -> None:
        resources.recorded = [meanwhile]
        raise PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "No such workflow.")

    monkeypatch.setattr(resources.workflows, "cancel", come_too_late)
    resources.recorded = [PENDING]

    problem(await http.post(f"/payments/{PENDING.id}/cancel"), code)


async def test_a_running_payment_is_cancelled(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [PENDING]

    answer = await http.post(f"/payments/{PENDING.id}/cancel")

    assert envelope(answer, 202)["payment"]["id"] == str(PENDING.id)
    assert answer.headers["location"] == f"/payments/{PENDING.id}"
    assert resources.cancelled == [PENDING]


@pytest.mark.parametrize(
    ("recorded", "code"),
    [
        ([], ErrorCode.PAYMENT_NOT_FOUND),
        ([SUCCEEDED], ErrorCode.PAYMENT_ENDED),
        ([SUCCEEDED.announced(Announcement.DUE)], ErrorCode.PAYMENT_ENDED),
        ([failed(ErrorCode.CARD_DECLINED)], ErrorCode.PAYMENT_ENDED),
    ],
    ids=["unknown", "succeeded", "not published yet", "failed"],
)
async def test_a_payment_that_does_not_run_is_not_cancelled(
    http: httpx.AsyncClient, resources: FakeResources, recorded: list[Payment], code: ErrorCode
) -> None:
    resources.recorded = recorded

    problem(await http.post(f"/payments/{PENDING.id}/cancel"), code)
    assert resources.cancelled == []
