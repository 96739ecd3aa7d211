"""The token of a card: required if the gateway takes tokens, and never a card number."""

import json
import logging
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.request_errors import RequestErrorCode
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from tests.support.fake_resources import BODY, PENDING, SUCCEEDED, FakeResources, envelope, problem

LONGEST = "pm_" + "x" * 250
A_TOKEN = "pm_card_visa"
CARD = "4242424242424242"


async def pay(
    http: httpx.AsyncClient, token: Any = A_TOKEN, key: str | None = None, **members: Any
) -> httpx.Response:
    body = json.loads(BODY) | {"paymentMethodToken": token} | members
    headers = {"idempotency-key": key} if key else {}
    return await http.post("/payments", content=json.dumps(body), headers=headers)


@pytest.fixture
def started(app: FastAPI, resources: FakeResources) -> list[PaymentInstruction]:
    """The payments that an API starts if it charges at Stripe."""
    resources.gateway = GatewayName.STRIPE
    resources.outcome = SUCCEEDED
    app.state.resources = resources.build()
    return resources.started


@pytest.mark.parametrize("token", ["pm_card_visa", "ctoken_1AbC", LONGEST])
async def test_a_payment_has_the_token_and_the_gateway(
    started: list[PaymentInstruction], http: httpx.AsyncClient, token: str
) -> None:
    envelope(await pay(http, token), 200)

    assert [(each.token, each.gateway) for each in started] == [(token, "stripe")]


@pytest.mark.parametrize(
    "token", [None, "", 1, "tok_visa", "pm_", "pm_a-b", " pm_a", "pm_a\n", LONGEST + "x", ["pm_a"]]
)
async def test_without_a_token_there_is_no_payment(
    started: list[PaymentInstruction], http: httpx.AsyncClient, token: Any
) -> None:
    body = problem(await pay(http, token), RequestErrorCode.INVALID_REQUEST, 400)

    assert [each["field"] for each in body["errors"]] == ["paymentMethodToken"]
    assert started == []


@pytest.mark.parametrize("token", [CARD, f"pm_{CARD}", "pm_4242_4242_4242_4242", "pm_424242424242"])
async def test_a_card_number_is_refused_and_repeated_nowhere(
    http: httpx.AsyncClient,
    resources: FakeResources,
    token: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The API here charges at the simulator, which needs no token."""
    with caplog.at_level(logging.DEBUG):
        answer = await pay(http, token)

    problem(answer, RequestErrorCode.INVALID_REQUEST, 400)
    assert "4242" not in answer.text + caplog.text
    assert resources.started == []


@pytest.mark.parametrize("token", [None, "pm_card_visa"])
async def test_the_simulator_needs_no_token_and_gets_none(
    http: httpx.AsyncClient, resources: FakeResources, token: str | None
) -> None:
    resources.outcome = SUCCEEDED

    envelope(await pay(http, token), 200)

    assert [(each.token, each.gateway) for each in resources.started] == [(None, "simulator")]


async def test_an_amount_that_the_gateway_does_not_take_is_refused(
    started: list[PaymentInstruction], http: httpx.AsyncClient
) -> None:
    answer = await pay(http, amount=1_000_000)

    body = problem(answer, RequestErrorCode.INVALID_REQUEST, 400)
    assert [each["field"] for each in body["errors"]] == ["amount"]
    assert started == []


@pytest.mark.parametrize("members", [{"token": None}, {"amount": 1_000_000}])
@pytest.mark.parametrize("holder", [PENDING, SUCCEEDED])
async def test_a_payment_that_began_elsewhere_answers_a_repeated_request(
    started: list[PaymentInstruction],
    resources: FakeResources,
    http: httpx.AsyncClient,
    holder: Payment,
    members: dict[str, Any],
) -> None:
    """GATEWAY was changed between the two requests. The earlier gateway accepts both."""
    resources.recorded = [holder]

    answer = await pay(http, **members)

    body = envelope(answer, 200 if holder is SUCCEEDED else 202)
    assert body["payment"]["id"] == str(holder.id)
    assert started == []


async def test_a_repeated_request_brings_the_token_of_a_lost_workflow(
    started: list[PaymentInstruction], resources: FakeResources, http: httpx.AsyncClient
) -> None:
    resources.outcome = None
    await pay(http, key="key")
    [claim] = resources.claims.values()
    running = PENDING.model_copy(update={"id": claim.payment_id, "gateway": "stripe"})
    resources.recorded = [running]
    started.clear()

    await pay(http, "pm_fresh", key="key")

    asked = started[0].model_copy(update={"token": "pm_fresh"})
    assert started == [running.to_resume(asked)]
    assert started[0].token == "pm_fresh"
