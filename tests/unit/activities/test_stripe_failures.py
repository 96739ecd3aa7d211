"""Only responses of Stripe that are about the same payment are accepted."""

from typing import Any
from uuid import UUID

import pytest

from domain import names
from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeState, GatewayRefund, RefundState
from tests.support.json_neighbour import UNUSABLE, FixedResponse, Handler, code_of
from tests.support.stripe_gateway import on_handler
from tests.support.stripe_responses import (
    CAPTURED,
    MADE_REFUND,
    REFUND,
    REFUNDS,
    SENDS,
    charge,
    error,
    intent,
)

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("name", SENDS)
async def test_a_response_about_this_payment_counts(name: str) -> None:
    send, response = SENDS[name]
    expected: dict[str, object] = {
        "open": ChargeState.OPEN,
        "charge": ChargeState.AUTHORIZED,
        "capture": ChargeState.CAPTURED,
        "find": ChargeState.CAPTURED,
        "void": ChargeState.VOIDED,
        "refund": RefundState.SUCCEEDED,
        "find refund": RefundState.SUCCEEDED,
    }

    answer = await send(on_handler(FixedResponse(response)))

    if isinstance(answer, Charge | GatewayRefund):
        assert answer.state is expected[name]
    else:
        assert answer is True


UNKNOWN: dict[str, Handler] = {
    **UNUSABLE,
    **{f"api_error {status}": error(status, "api_error") for status in (500, 502, 503)},
    **{f"body {body}": FixedResponse(body) for body in ("{}", "[]", "[1]", "null", '"x"', "1")},
    **{f"success {status}": FixedResponse(intent(), status) for status in (201, 202, 204, 302)},
    **{
        f"refused {status}": error(status)
        for status in (401, 403, 404, 405, 408, 409, 410, 422, 425, 429)
    },
    "key in use": error(409, code="idempotency_key_in_use"),
    "locked": error(429, code="lock_timeout"),
    "limited": error(429, code="rate_limit"),
    "key of another request": error(400, "idempotency_error"),
    "no such intent": error(404, code="resource_missing", param="intent"),
    "type of a 500": error(400, "api_error"),
    "type of a 402": error(400, "card_error"),
    "type of a 400": error(402, "invalid_request_error"),
    "proxy": FixedResponse({"error": "a proxy's"}, 400),
    "page 400": FixedResponse("<html>", 400),
    "page 402": FixedResponse("<html>", 402),
}


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("response", UNKNOWN.values(), ids=UNKNOWN)
async def test_after_any_other_response_the_outcome_is_unknown(
    name: str, response: Handler
) -> None:
    send, _ = SENDS[name]

    assert await code_of(send(on_handler(response, seconds=0.05))) is UNAVAILABLE


FOREIGN = [
    {"id": "pi_2"},
    {"amount": 15_001},
    {"amount": "-15000"},
    {"amount": "15000.5"},
    {"currency": "eur"},
    {"currency": "jpy"},
    {"livemode": True},
    {"livemode": None},
    {"livemode": 0},
    {"livemode": "false"},
    {"metadata": {}},
    {"metadata": {"key": names.charge_key(UUID(int=2))}},
    {"object": "setup_intent"},
    {"capture_method": "automatic"},
    {"status": "requires_something"},
    {"status": None},
]


@pytest.mark.parametrize("change", FOREIGN, ids=str)
@pytest.mark.parametrize("name", ["charge", "capture", "find", "void", "open"])
async def test_a_payment_that_is_not_ours_is_unknown(name: str, change: dict[str, Any]) -> None:
    send, response = SENDS[name]
    if name == "open" and change == {"id": "pi_2"}:
        change = {"id": "../refunds"}

    assert await code_of(send(on_handler(FixedResponse({**response, **change})))) is UNAVAILABLE


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../intents"},
        {"amount": 5_001},
        {"currency": "eur"},
        {"payment_intent": "pi_2"},
        {"status": "lost"},
        {"object": "charge"},
    ],
    ids=str,
)
async def test_a_refund_that_is_not_ours_is_unknown(change: dict[str, Any]) -> None:
    changed = {**MADE_REFUND, **change}

    assert await code_of(on_handler(FixedResponse(changed)).refund(REFUND)) is UNAVAILABLE
    page = FixedResponse({**REFUNDS, "data": [changed]})
    assert await code_of(on_handler(page).find_refund(REFUND)) is UNAVAILABLE


async def test_a_refund_with_another_key_is_another_refund() -> None:
    other = {**MADE_REFUND, "metadata": {"key": "pay_other"}}

    assert await code_of(on_handler(FixedResponse(other)).refund(REFUND)) is UNAVAILABLE
    page = FixedResponse({**REFUNDS, "data": [other]})
    assert await on_handler(page).find_refund(REFUND) is None


async def test_a_list_without_end_is_unknown() -> None:
    page = FixedResponse({**REFUNDS, "has_more": True})

    assert await code_of(on_handler(page).find_refund(REFUND)) is UNAVAILABLE


@pytest.mark.parametrize(
    "odd",
    [
        intent(amount_capturable=14_999),
        {**CAPTURED, "amount_received": 14_999},
        {**CAPTURED, "latest_charge": charge(amount_captured=14_999)},
        {**CAPTURED, "latest_charge": None},
        {**CAPTURED, "latest_charge": "ch_1"},
        intent(status="processing"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["charge", "capture", "find", "void"])
async def test_a_part_and_an_undecided_state_are_unknown(name: str, odd: dict[str, Any]) -> None:
    send, _ = SENDS[name]

    assert await code_of(send(on_handler(FixedResponse(odd)))) is UNAVAILABLE
