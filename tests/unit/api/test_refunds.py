"""Refunds over HTTP: which are requested, and the response to each."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.money import Money
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from tests.support.builders import NOON, UNKNOWN_MONEY, a_refund
from tests.support.fake_resources import (
    PENDING,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)
from tests.support.waiting import eventually

ADDRESS = f"/payments/{SUCCEEDED.id}/refunds"
KEY = {"idempotency-key": "key"}
ASKED = a_refund(SUCCEEDED)
MADE = ASKED.succeeded(NOON)
REFUSED = ASKED.failed(PaymentError(ErrorCode.REFUND_REFUSED, "Why."), NOON)


@pytest.fixture(autouse=True)
def _paid(resources: FakeResources) -> None:
    resources.recorded = [SUCCEEDED]


async def refund(http: httpx.AsyncClient, body: Any = None, **headers: str) -> httpx.Response:
    content = None if body is None else json.dumps(body)
    return await http.post(ADDRESS, content=content, headers=KEY | headers)


async def test_part_of_a_payment_is_refunded(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.refunded = MADE

    answer = await refund(http, {"amount": 50})

    body = envelope(answer, 201)
    assert (body["success"], body["payment"]["id"]) == (True, str(SUCCEEDED.id))
    assert '"amount":50.00,"currency":"USD","status":"succeeded"' in answer.text
    assert answer.headers["location"] == f"{ADDRESS}/{MADE.id}"
    assert body["refund"]["id"] == str(MADE.id)
    [asked] = resources.requested_refunds
    assert asked.model_copy(update={"created_at": NOON}) == ASKED


@pytest.mark.parametrize("body", [None, {}])
async def test_without_an_amount_all_of_a_payment_is_refunded(
    http: httpx.AsyncClient, resources: FakeResources, body: Any
) -> None:
    await refund(http, body)

    assert [asked.amount for asked in resources.requested_refunds] == [SUCCEEDED.amount]


async def test_refund_may_name_the_currency_of_the_payment(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    await refund(http, {"amount": 50, "currency": "USD"})

    assert [asked.amount for asked in resources.requested_refunds] == [ASKED.amount]


NO_REFUNDS = {
    "null": "null",
    "null as the amount": '{"amount": null}',
    "an amount of another name": '{"Amount": 10.00}',
    "a misspelt amount": '{"amout": 10.00}',
    "a member that is not known": '{"amount": 10.00, "reason": "damaged"}',
    "another currency": '{"amount": 10.00, "currency": "EUR"}',
    "currency in lower case": '{"amount": 10.00, "currency": "usd"}',
    "null as the currency": '{"amount": 10.00, "currency": null}',
    "currency that is no text": '{"amount": 10.00, "currency": ["USD"]}',
    "currency without an amount": '{"currency": "USD"}',
    "list": "[]",
    "number": "10.00",
    "text": '"10.00"',
}


@pytest.mark.parametrize("content", NO_REFUNDS.values(), ids=NO_REFUNDS)
async def test_an_unclear_body_refunds_nothing(
    http: httpx.AsyncClient, resources: FakeResources, content: str
) -> None:
    answer = await http.post(ADDRESS, content=content, headers=KEY)

    problem(answer, RequestErrorCode.INVALID_REQUEST)
    assert resources.requested_refunds == []


async def test_an_amount_in_the_address_refunds_nothing(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    answer = await http.post(f"{ADDRESS}?amount=10.00", headers=KEY)

    problem(answer, RequestErrorCode.INVALID_REQUEST)
    assert resources.requested_refunds == []


async def test_unknown_members_are_not_repeated(http: httpx.AsyncClient) -> None:
    answer = await refund(http, {f"canary {number}": 1 for number in range(100)})

    body = problem(answer, RequestErrorCode.INVALID_REQUEST)
    assert "canary" not in answer.text
    message = "may have only the members amount and currency"
    assert body["errors"] == [{"field": "body", "message": message}]


async def test_a_refund_that_has_not_begun_has_no_location(http: httpx.AsyncClient) -> None:
    answer = await refund(http, {"amount": 50})

    body = envelope(answer, 202)
    assert (body["success"], body["refund"]["status"]) == (False, "pending")
    assert "Send the same request again" in body["errorMessage"]
    assert "location" not in answer.headers
    assert answer.headers["retry-after"] == "5"


async def test_a_refund_that_is_pending_at_its_gateway_is_accepted_at_once(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.refund.PAUSE", 0.01)
    at_stripe = {"gateway": GatewayName.STRIPE, "gateway_reference": "pi_1"}
    resources.recorded = [SUCCEEDED.model_copy(update=at_stripe)]
    resources.are_refunds_endless = True
    pending = a_refund(resources.recorded[0])

    async def refund_later() -> None:
        await eventually("it is requested", lambda: is_requested(resources))
        resources.recorded_refunds.append(pending)
        resources.recorded_refunds[0] = pending.referring("re_1")

    answer, _ = await asyncio.gather(refund(http, {"amount": 50}), refund_later())

    body = envelope(answer, 202)
    assert (body["success"], body["refund"]["status"]) == (False, "pending")
    assert answer.headers["location"] == f"{ADDRESS}/{pending.id}"


async def is_requested(resources: FakeResources) -> bool:
    return len(resources.requested_refunds) > 0


async def test_a_refund_that_takes_long_is_accepted(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded_refunds.append(ASKED)
    answer = await refund(http, {"amount": 50})

    body = envelope(answer, 202)
    assert (body["success"], body["refund"]["status"]) == (False, "pending")
    assert answer.headers["location"] == f"{ADDRESS}/{ASKED.id}"
    assert answer.headers["retry-after"] == "5"


async def test_a_refund_that_has_been_made_is_not_requested_again(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded_refunds.append(MADE)

    answer = await refund(http, {"amount": 50})

    assert envelope(answer, 201)["refund"]["id"] == str(MADE.id)
    assert answer.headers["idempotent-replayed"] == "true"
    assert resources.requested_refunds == []


@pytest.mark.parametrize("recorded", [True, False])
async def test_a_key_stands_for_one_amount(
    http: httpx.AsyncClient, resources: FakeResources, recorded: bool
) -> None:
    resources.refunded = MADE
    if recorded:
        resources.recorded_refunds.append(MADE)

    problem(await refund(http, {"amount": 50.01}), ErrorCode.IDEMPOTENCY_KEY_REUSED)


@pytest.mark.parametrize("code", [ErrorCode.REFUND_TOO_LARGE, ErrorCode.REFUND_REFUSED])
async def test_a_refused_refund_is_returned_with_its_code(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.refunded = ASKED.failed(PaymentError(code, "Why."), NOON)

    body = problem(await refund(http, {"amount": 50}), code)

    assert (body["detail"], body["payment"]["status"]) == ("Why.", "succeeded")


async def test_a_refund_needs_a_key(http: httpx.AsyncClient, resources: FakeResources) -> None:
    answer = await http.post(ADDRESS, content='{"amount":50}')

    assert "Idempotency-Key" in problem(answer, RequestErrorCode.INVALID_REQUEST)["detail"]
    assert resources.requested_refunds == []


@pytest.mark.parametrize(
    "amount", [0, -1, 0.001, "", "x", "1e2", True, [], {}, "1" * 17, 1e400, "\u0661"]
)
async def test_an_invalid_amount_is_refused(
    http: httpx.AsyncClient, resources: FakeResources, amount: Any
) -> None:
    body = problem(await refund(http, {"amount": amount}), RequestErrorCode.INVALID_REQUEST)

    assert [each["field"] for each in body["errors"]] == ["amount"]
    assert resources.requested_refunds == []


async def test_a_payment_in_a_currency_that_is_no_more_can_be_refunded(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED.model_copy(update={"amount": UNKNOWN_MONEY})]

    await refund(http, {"amount": 49.999})
    await refund(http, None)

    part, whole = (each.amount for each in resources.requested_refunds)
    assert (str(part), whole) == ("49.999 ZZQ", UNKNOWN_MONEY)
    problem(await refund(http, {"amount": 1.0001}), RequestErrorCode.INVALID_REQUEST)


async def test_an_amount_is_read_in_the_currency_of_the_payment(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    yen = Money.parse("150", "JPY")
    resources.recorded = [SUCCEEDED.model_copy(update={"amount": yen})]

    problem(await refund(http, {"amount": 1.5}), RequestErrorCode.INVALID_REQUEST)
    await refund(http, {"amount": 15})

    assert [asked.amount for asked in resources.requested_refunds] == [Money.parse("15", "JPY")]


@pytest.mark.parametrize(
    "payment", [PENDING, failed(ErrorCode.CARD_DECLINED), PENDING.succeeded(at=NOON)]
)
async def test_only_a_success_that_stands_is_refunded(
    http: httpx.AsyncClient, resources: FakeResources, payment: Payment
) -> None:
    resources.recorded = [payment]

    body = problem(await refund(http), ErrorCode.PAYMENT_NOT_REFUNDABLE)

    assert body["payment"] is None
    assert resources.requested_refunds == []


async def test_refunds_are_listed(http: httpx.AsyncClient, resources: FakeResources) -> None:
    resources.recorded_refunds += [MADE, a_refund(SUCCEEDED, "1.00", "other")]

    body = envelope(await http.get(ADDRESS), 200)

    assert [each["status"] for each in body["refunds"]] == ["succeeded", "pending"]
    assert body["payment"]["status"] == PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("made", [MADE, ASKED, REFUSED])
async def test_a_refund_is_read(
    http: httpx.AsyncClient, resources: FakeResources, made: Refund
) -> None:
    resources.recorded_refunds.append(made)

    body = envelope(await http.get(f"{ADDRESS}/{made.id}"), 200)

    assert body["refund"]["errorCode"] == made.error_code
    assert (body["success"], body["errorMessage"]) == (made is MADE, made.error_message)


async def test_a_refund_of_another_payment_is_not_shown(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    other = SUCCEEDED.model_copy(update={"id": PENDING.order_id})
    resources.recorded_refunds.append(a_refund(other))

    answer = await http.get(f"{ADDRESS}/{a_refund(other).id}")

    problem(answer, ErrorCode.REFUND_NOT_FOUND)
