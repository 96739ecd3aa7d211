"""The timeline shows only those responses of the gateway that are about the payment."""

import json
from typing import Any

import httpx
import pytest

from activities.adapters.gateway_timeline import GatewayTimeline
from domain.errors import ErrorCode, PaymentError
from domain.names import charge_key, refund_key
from domain.timeline import Entry
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.json_neighbour import neighbour

PAYMENT = a_payment().succeeded(NOON).announced()
REFUND = a_refund(PAYMENT)
CHARGED = {"state": "captured", "createdAt": "2026-11-23T12:00:00", "amount": "150.00"}
CHARGED |= {"key": charge_key(PAYMENT.id), "currency": "USD"}


async def shown(charge: dict[str, Any], status: int = 200) -> list[Entry]:
    def handle(request: httpx.Request) -> httpx.Response:
        kind, key = request.url.path.split("/")[-2:]
        if kind == "charges":
            return httpx.Response(status, content=json.dumps(charge))
        if key == refund_key(PAYMENT.id):
            missing = {"error": "none", "code": "REFUND_NOT_FOUND", "key": key}
            return httpx.Response(404, json=missing)
        made = {"key": key, "state": "succeeded", "createdAt": "2026-11-23T12:00:01Z"}
        return httpx.Response(200, json=made)

    telling = GatewayTimeline(neighbour(handle, ErrorCode.GATEWAY_UNAVAILABLE))
    return await telling(PAYMENT, [REFUND])


async def test_charge_and_refunds_are_shown() -> None:
    entries = await shown(CHARGED)

    assert [each.event for each in entries] == ["charge is captured", "refund is succeeded"]
    assert [each.detail for each in entries] == ["150.00 USD", None]
    assert sorted(entries) == entries  # a time without a zone is UTC, and can be compared


async def test_text_of_the_gateway_is_cut_and_made_readable() -> None:
    [entry, _] = await shown(CHARGED | {"state": "odd\x00\u202e" + "x" * 1000})

    assert entry.event == ("charge is odd" + "x" * 1000)[: len("charge is ") + 255]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"key": "pay_2_charge"}, 200),
        ({"key": None}, 200),
        ({"createdAt": "soon"}, 200),
        ({"createdAt": None}, 404),
        ({"code": "CHARGE_NOT_FOUND", "key": "pay_2_charge"}, 404),
    ],
)
async def test_a_response_about_something_else_is_refused(
    changes: dict[str, Any], status: int
) -> None:
    with pytest.raises(PaymentError) as caught:
        await shown(CHARGED | changes, status)
    assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE
