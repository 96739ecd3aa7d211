"""The next action: which responses have it, who gets it, and that it is not kept."""

import json
import logging
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from api import next_action, row_reads
from api.checkout import Checkout
from api.next_action import NextActions
from api.request_errors import RequestErrorCode
from domain.customer_action import Wait
from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.payment import Payment
from tests.support.builders import NOON
from tests.support.fake_resources import (
    BODY,
    CUSTOMER,
    ENVELOPE,
    PENDING,
    STRANGER,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)
from tests.support.fakes.customer_turn import URL, WAIT, WAITING, FakeTurn
from tests.support.logged import lines
from tests.support.tokens import a_token, an_authenticator

ADDRESS = f"/payments/{WAITING.id}"
AWAY = PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "Stripe is not available (HTTP 503).")


@pytest.fixture
def stripe(app: FastAPI, resources: FakeResources, monkeypatch: pytest.MonkeyPatch) -> FakeTurn:
    """An API whose payments are made at Stripe and may wait. One of them waits."""
    monkeypatch.setattr(row_reads, "CUSTOMER_READ_SECONDS", 0.01)
    stripe = FakeTurn()
    resources.gateway = GatewayName.STRIPE
    resources.checkout = Checkout(return_url="https://shop.example/{paymentId}")
    resources.actions = {"stripe": stripe}
    resources.recorded, resources.is_endless = [WAITING], True
    app.state.resources = resources.build()
    return stripe


async def pay(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    body = json.loads(BODY) | {"paymentMethodToken": "pm_card_visa"}
    return await http.post("/payments", content=json.dumps(body), headers=headers)


def action_in(body: dict[str, Any]) -> Any:
    assert list(body) == ["success", "errorMessage", "payment", "nextAction"]
    return body["nextAction"]


async def test_a_payment_that_waits_is_answered_at_once(
    stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    answer = await pay(http)

    body = envelope(answer, 202)
    expires = datetime.fromisoformat(action_in(body).pop("expiresAt"))
    assert body["nextAction"] == {"type": "redirect", "url": URL}
    assert expires == WAIT.until
    assert (body["success"], body["payment"]["status"]) == (False, "pending")
    assert answer.headers["location"] == ADDRESS
    assert answer.headers["cache-control"] == "no-store"
    assert (resources.cached, stripe.asked) == ({}, [WAITING.id])


async def test_a_repeated_request_gets_a_fresh_action(
    stripe: FakeTurn, http: httpx.AsyncClient
) -> None:
    await pay(http)
    stripe.url = "https://bank.example/again"

    for headers in ({}, {"idempotency-key": "one"}, {"idempotency-key": "one"}):
        assert action_in(envelope(await pay(http, **headers), 202))["url"] == stripe.url


async def test_a_waiting_payment_is_read_with_its_action(
    stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    answer = await http.get(ADDRESS)

    assert action_in(envelope(answer, 200))["url"] == URL
    assert answer.headers["cache-control"] == "no-store"
    assert resources.cached == {}


async def test_an_action_that_the_caller_knows_is_not_sent_again(
    stripe: FakeTurn, http: httpx.AsyncClient
) -> None:
    tag = (await http.get(ADDRESS)).headers["etag"]
    known = {"if-none-match": tag}
    again = await http.get(ADDRESS, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert "canary" not in str(again.headers) + tag

    stripe.url = None
    assert envelope(await http.get(ADDRESS, headers=known), 200).keys() == ENVELOPE


NOT_WAITING = {
    "never": PENDING.model_copy(update={"gateway": "stripe"}),
    "too late": WAITING.waiting(Wait(since=NOON, until=NOON)),
    "undone": WAITING.compensating(AWAY),
    "failed": failed(ErrorCode.CARD_DECLINED).waiting(WAIT),
    "succeeded": SUCCEEDED.waiting(WAIT),
    "succeeded, and can be undone": WAITING.succeeded(NOON),
}


@pytest.mark.parametrize("payment", NOT_WAITING.values(), ids=NOT_WAITING)
async def test_a_payment_that_does_not_wait_has_no_action(
    stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources, payment: Payment
) -> None:
    """Callers see exactly what they saw before there were actions."""
    resources.recorded = [payment]

    assert envelope(await http.get(ADDRESS), 200).keys() == ENVELOPE
    assert stripe.asked == []


@pytest.mark.parametrize("path", ["/payments", f"{ADDRESS}/timeline", f"{ADDRESS}/refunds"])
async def test_no_other_response_has_it(
    stripe: FakeTurn, http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)

    assert answer.status_code == 200
    assert "nextAction" not in answer.text
    assert stripe.asked == []


async def test_a_cancellation_has_no_action(stripe: FakeTurn, http: httpx.AsyncClient) -> None:
    assert envelope(await http.post(f"{ADDRESS}/cancel"), 202).keys() == ENVELOPE
    assert stripe.asked == []


CALLERS = {
    "owner": ({"sub": CUSTOMER, "client_id": "front"}, True),
    "service": ({"sub": "shop", "client_id": "shop"}, True),
    "stranger": ({"sub": STRANGER, "client_id": "front"}, False),
    "no customer": ({"sub": "bob", "client_id": "front"}, False),
}


@pytest.mark.parametrize(("claims", "is_owner"), CALLERS.values(), ids=CALLERS)
async def test_only_the_owner_gets_it(
    app: FastAPI,
    stripe: FakeTurn,
    http: httpx.AsyncClient,
    resources: FakeResources,
    claims: dict[str, str],
    is_owner: bool,
) -> None:
    resources.authenticator = an_authenticator()
    app.state.resources = resources.build()
    token = a_token(scope="payments:read payments:write", **claims)
    bearer = {"authorization": f"Bearer {token}"}

    read, paid = await http.get(ADDRESS, headers=bearer), await pay(http, **bearer)

    if is_owner:
        assert action_in(envelope(read, 200))
        assert action_in(envelope(paid, 202))
    else:
        problem(read, ErrorCode.PAYMENT_NOT_FOUND)
        problem(paid, ErrorCode.CUSTOMER_MISMATCH)
        assert stripe.asked == []


async def test_who_may_only_pay_cannot_read_it(
    app: FastAPI, stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.authenticator = an_authenticator()
    app.state.resources = resources.build()
    token = a_token(scope="payments:write", sub=CUSTOMER, client_id="front")

    answer = await http.get(ADDRESS, headers={"authorization": f"Bearer {token}"})

    problem(answer, RequestErrorCode.INSUFFICIENT_SCOPE)
    assert stripe.asked == []


@pytest.mark.parametrize("hangs", [True, False])
async def test_without_the_gateway_the_response_has_no_action(
    stripe: FakeTurn,
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    hangs: bool,
) -> None:
    """The API responds without a next action, and does not wait for the gateway."""
    monkeypatch.setattr(next_action, "TIMEOUT_SECONDS", 0.01)
    stripe.hangs, stripe.failure = hangs, AWAY
    with caplog.at_level(logging.DEBUG):
        assert envelope(await http.get(ADDRESS), 200).keys() == ENVELOPE
        assert envelope(await pay(http), 202).keys() == ENVELOPE

    why = "it takes too long" if hangs else AWAY.message
    line = f"the next action of payment {WAITING.id} cannot be read: {why}"
    assert lines(caplog, next_action) == [line] * 2


async def test_a_process_without_a_key_knows_no_action(
    app: FastAPI, stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.actions = {}
    app.state.resources = resources.build()

    assert envelope(await http.get(ADDRESS), 200).keys() == ENVELOPE
    assert envelope(await pay(http), 202).keys() == ENVELOPE


@pytest.mark.parametrize("ending", [SUCCEEDED, failed(ErrorCode.CARD_DECLINED)])
async def test_after_the_customer_has_acted_the_end_is_awaited(
    stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources, ending: Payment
) -> None:
    """The row still says that the payment waits. The gateway says that it does not."""

    def end() -> None:
        resources.recorded = [ending]

    stripe.url, stripe.when_asked = None, end
    if not ending.has_event:
        resources.is_endless, resources.outcome = False, ending

    answer = await pay(http)

    assert answer.status_code == (200 if ending is SUCCEEDED else 422)
    assert "nextAction" not in answer.text


async def test_the_gateway_is_asked_once_while_the_end_is_awaited(
    stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    reads = 0

    class Counted(list[Payment]):
        def __iter__(self) -> Any:
            nonlocal reads
            reads += 1
            if reads > 20:
                resources.recorded = [SUCCEEDED]
            return super().__iter__()

    stripe.url, resources.recorded = None, Counted([WAITING])

    envelope(await pay(http), 200)

    assert stripe.asked == [WAITING.id]


async def test_a_payment_of_before_the_settings_changed_is_answered_with_its_action(
    app: FastAPI, stripe: FakeTurn, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    """The page was switched off between the two requests: now there must be a token."""
    answer = await http.post("/payments", content=BODY)
    assert action_in(envelope(answer, 202))["url"] == URL

    resources.recorded = [WAITING.model_copy(update={"customer_id": UUID(STRANGER)})]
    stripe.asked.clear()
    answer = await http.post("/payments", content=BODY)
    problem(answer, ErrorCode.CUSTOMER_MISMATCH)
    assert stripe.asked == []


async def test_the_address_is_in_no_repr() -> None:
    async def read(_: Payment) -> str:
        return URL

    turn = await NextActions({"stripe": read})(WAITING)

    assert turn.action is not None
    assert turn.action.url == URL
    assert "canary" not in repr(turn)
