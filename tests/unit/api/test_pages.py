"""The list of payments over HTTP: its parameters and its pages."""

from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from api.request_errors import RequestErrorCode
from db.search import Position, Search
from domain import exact_json
from domain.errors import ErrorCode
from domain.payment import Announcement, PaymentStatus
from tests.support.builders import NOON, UNKNOWN_MONEY, a_payment
from tests.support.fake_resources import CUSTOMER, ORDER, SUCCEEDED, FakeResources, failed, problem


async def test_a_page_shows_payments_as_they_are_answered(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED, SUCCEEDED.announced(Announcement.DUE)]

    answer = await http.get("/payments")

    body = answer.json()
    assert (answer.status_code, body["success"], body["errorMessage"]) == (200, True, None)
    assert [each["status"] for each in body["payments"]] == ["succeeded", "pending"]
    assert (await http.get(f"/payments/{SUCCEEDED.id}")).json()["payment"] == body["payments"][0]
    assert body["nextCursor"] is None
    assert resources.searches == [Search()]


async def test_a_payment_of_another_version_is_shown_as_recorded(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    odd = {"payment_method": "bnpl", "error_code": "FRAUD_SUSPECTED", "failure_reason": "fraud"}
    failure = failed(ErrorCode.CARD_DECLINED)
    resources.recorded = [SUCCEEDED, failure.model_copy(update={"amount": UNKNOWN_MONEY, **odd})]

    answer = await http.get("/payments")

    shown = exact_json.loads(answer.content)["payments"][1]
    assert (answer.status_code, shown["amount"], shown["currency"]) == (200, "150.000", "ZZQ")
    assert (shown["paymentMethod"], shown["errorCode"]) == ("bnpl", "FRAUD_SUSPECTED")
    assert shown["failureReason"] == "fraud"


async def test_a_cursor_leads_to_what_follows(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [a_payment() for _ in range(3)]

    page = (await http.get("/payments?limit=2")).json()
    await http.get("/payments", params={"cursor": page["nextCursor"]})

    last = resources.recorded[1]
    assert [UUID(each["id"]) for each in page["payments"]] == [
        each.id for each in resources.recorded[:2]
    ]
    assert resources.searches[1].after == Position(last.created_at, last.id)


async def test_the_parameters_become_the_search(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    await http.get(
        f"/payments?orderId={ORDER}&customerId={CUSTOMER}&status=failed&unknown=1"
        f"&createdFrom=2026-11-23T12:00:00Z&createdBefore={quote('2026-11-23T15:00:00+02:00')}"
    )

    assert resources.searches == [
        Search(
            order_id=UUID(ORDER),
            customer_id=UUID(CUSTOMER),
            status=PaymentStatus.FAILED,
            created_from=NOON,
            created_before=datetime(2026, 11, 23, 13, tzinfo=UTC),
        )
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("orderId", each) for each in ("", "x", "0" * 36, ORDER.replace("-", ""))),
        *(("customerId", "x"), ("status", "Paid"), ("status", "")),
        *(("limit", each) for each in ("0", "201", "-1", "1.5", "x", "9" * 900)),
        *(
            (name, each)
            for name in ("createdFrom", "createdBefore")
            for each in ("", "x", "2026-11-23T12:00:00", "0001-01-01T00:00:00+14:00", "1e400")
        ),
        ("createdFrom", "9999-12-31T23:59:59-14:00"),
        *(("cursor", each) for each in ("", "x", "\0", "é", "AAAA", "MjAyNi0xMS0yMyB4")),
        ("cursor", "MDAwMS0wMS0wMSAwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDE="),
    ],
)
async def test_a_wrong_parameter_is_named(
    http: httpx.AsyncClient, resources: FakeResources, name: str, text: str
) -> None:
    answer = await http.get("/payments", params={name: text})

    errors = problem(answer, RequestErrorCode.INVALID_REQUEST)["errors"]
    assert [each["field"] for each in errors] == [name]
    assert resources.searches == []
