"""The requests that are sent to Stripe. No secret is in a log line or an error."""

import json
import logging

import httpx
import pytest

from domain.errors import ErrorCode
from tests.support.json_neighbour import FixedResponse, code_of
from tests.support.stripe_gateway import on_handler
from tests.support.stripe_responses import (
    ACTIONS,
    CAPTURED,
    CHARGE,
    PAYMENT,
    PI,
    REFUND,
    SECRET,
    SENDS,
    error,
    intent,
)

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("name", SENDS)
async def test_every_request_is_pinned_signed_and_bounded(name: str) -> None:
    send, response = SENDS[name]
    handler = FixedResponse(response)

    await send(on_handler(handler))

    sent = handler.request.headers
    assert sent["authorization"] == "Bearer sk_test_simulated"
    assert sent["stripe-version"] == "2026-08-26.dahlia"
    assert "hunter2" not in str(handler.request.url)


REQUESTS = {
    "open": {
        "amount": "15000",
        "currency": "usd",
        "capture_method": "manual",
        "payment_method_types[]": "card",
        "metadata[payment_id]": str(PAYMENT),
        "metadata[order_id]": str(CHARGE.order_id),
        "metadata[key]": CHARGE.key,
        "expand[]": "latest_charge",
    },
    "charge": {
        "payment_method": "pm_hunter2",
        "error_on_requires_action": "true",
        "expand[]": "latest_charge",
    },
    "capture": {"expand[]": "latest_charge"},
    "void": {"expand[]": "latest_charge"},
    "refund": {
        "payment_intent": PI,
        "amount": "5000",
        "metadata[key]": REFUND.key,
        "metadata[charge_key]": CHARGE.key,
    },
}
KEYS = {
    "open": f"pay_{PAYMENT}_open",
    "charge": f"pay_{PAYMENT}_charge",
    "capture": f"pay_{PAYMENT}_capture",
    "void": None,
    "refund": REFUND.key,
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_body_is_made_of_the_payment_and_of_nothing_else(name: str) -> None:
    sent: list[httpx.Request] = []
    send, response = SENDS[name]

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return FixedResponse(response)(request)

    await send(on_handler(handler))

    first = sent[0]
    assert dict(httpx.QueryParams(first.content.decode())) == REQUESTS[name]
    assert first.headers.get("idempotency-key") == KEYS[name]
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    if name in ACTIONS:
        assert first.url.path == f"/v1/payment_intents/{PI}/{ACTIONS[name]}"


async def test_no_error_and_no_log_quotes_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    responses = (
        FixedResponse({**intent(), "amount": SECRET}),
        FixedResponse({**CAPTURED, "id": SECRET + "/.."}),
        error(code="a_new_code"),
        error(401),
        FixedResponse(json.dumps(intent())[:-1]),
    )
    told = ""
    for response in responses:
        for send, _ in SENDS.values():
            try:
                told += str(await send(on_handler(response)))
            except Exception as failure:  # noqa: BLE001 - whatever it is, its whole chain is shown
                told += "".join(_chain(failure))

    assert "unavailable" in told or "not available" in told
    for secret in ("hunter2", "sk_test"):
        assert secret not in told + caplog.text
    assert "hunter2" not in repr(CHARGE) + CHARGE.model_dump_json()


def _chain(failure: BaseException | None) -> list[str]:
    if failure is None:
        return []
    return [repr(failure), *_chain(failure.__cause__), *_chain(failure.__context__)]


async def test_live_mode_is_real_money() -> None:
    live = FixedResponse(intent(livemode=True))

    authorized = await on_handler(live, livemode=True).charge(CHARGE)

    assert not authorized.is_simulated
    refused = on_handler(FixedResponse(intent()), livemode=True)
    assert await code_of(refused.charge(CHARGE)) is UNAVAILABLE
