"""Which of the gateway's responses count for a refund."""

from typing import Any

import pytest

from domain.errors import ErrorCode
from domain.gateway import GatewayRefund, RefundState
from tests.support.gateway_responses import KEY, ODD_STATUSES, REFUND, a_charge, a_refusal, gateway
from tests.support.json_neighbour import FixedResponse, code_of


def a_refund(**members: Any) -> dict[str, Any]:
    amount = {"amount": "150.00", "currency": "USD"}
    keys = {"key": REFUND.key, "chargeKey": KEY}
    return {**keys, **amount, "state": "succeeded", **members}


@pytest.mark.parametrize(
    ("status", "state", "read"),
    [
        *((200, "succeeded", "succeeded"), (201, "succeeded", "succeeded")),
        *((201, "pending", "pending"), (202, "pending", "pending"), (202, "succeeded", "pending")),
        (201, "failed", "failed"),
    ],
)
async def test_a_refund_is_sent_once_and_exactly(status: int, state: str, read: str) -> None:
    answers = FixedResponse(a_refund(state=state), status)

    assert (await gateway(answers).refund(REFUND)).state == read

    assert answers.request.url.path == "/base/refunds"
    assert answers.request.headers["idempotency-key"] == "pay_1_refund"
    assert (
        answers.request.content == b'{"chargeKey":"pay_1_charge","amount":150.00,"currency":"USD"}'
    )


NO_REFUND: dict[str, Any] = {
    "ok": {"status": "ok"},
    "array": [],
    "page": b"<html>",
    "empty": b"",
    "another's": a_refund(key="pay_2_refund"),
    "of another charge": a_refund(chargeKey="pay_2_charge"),
    "of no charge": a_refund(chargeKey=None),
    "of another amount": a_refund(amount="15.00"),
    "of no amount": a_refund(amount=None),
    "in another currency": a_refund(currency="EUR"),
    "in no currency": a_refund(currency=""),
    "in no state": a_refund(state=None),
    "in a foreign state": a_refund(state="done"),
}


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", NO_REFUND.values(), ids=NO_REFUND)
async def test_a_refund_is_made_only_by_its_own_answer(body: Any, status: int) -> None:
    ask = gateway(FixedResponse(body, status))

    assert await code_of(ask.refund(REFUND)) is ErrorCode.GATEWAY_UNAVAILABLE
    assert await code_of(ask.find_refund(REFUND)) is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("status", [*ODD_STATUSES[1:], 400, 402])
@pytest.mark.parametrize(
    "body",
    [
        *(a_refund(), a_refund(state="failed"), {"error": "invalid credentials"}, {}, b"<html>"),
        *(a_refusal("IN_PROGRESS", REFUND.key), a_refusal("KEY_REUSED", REFUND.key)),
        *(a_refusal("NOT_CAPTURED"), a_refusal("REFUND_TOO_LARGE")),
    ],
    ids=str,
)
async def test_no_other_answer_says_what_became_of_a_refund(body: Any, status: int) -> None:
    refunding = gateway(FixedResponse(body, status)).refund(REFUND)

    assert await code_of(refunding) is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize(("status", "code"), [(409, "NOT_CAPTURED"), (422, "REFUND_TOO_LARGE")])
async def test_the_gateway_refuses_a_refund(status: int, code: str) -> None:
    refunding = gateway(FixedResponse(a_refusal(code, REFUND.key), status)).refund(REFUND)

    assert await code_of(refunding) is ErrorCode.REFUND_REFUSED


@pytest.mark.parametrize("state", RefundState)
async def test_a_refund_is_looked_up(state: RefundState) -> None:
    answers = FixedResponse(a_refund(state=state))

    assert await gateway(answers).find_refund(REFUND) == GatewayRefund(state=state)
    assert answers.request.url.path == "/base/refunds/pay_1_refund"


async def test_a_refund_that_the_gateway_does_not_know_is_none() -> None:
    unknown = FixedResponse(a_refusal("REFUND_NOT_FOUND", REFUND.key), 404)

    assert await gateway(unknown).find_refund(REFUND) is None


@pytest.mark.parametrize(
    ("members", "has_left"),
    [
        *(({"amount": "150.00"}, True), ({"amount": "149.99"}, False)),
        *(({"refundedAmount": refunded}, True) for refunded in ("9999999999849.90", "0", None)),
        ({"refundedAmount": "9999999999849.91"}, False),
        ({"state": "refunded", "refundedAmount": "9999999999999.90"}, False),
        *(({"state": "declined"}, False), ({"state": "voided"}, False)),
    ],
    ids=str,
)
async def test_what_is_left_of_a_charge_is_compared_with_the_refund(
    members: dict[str, Any], has_left: bool
) -> None:
    assert await gateway(FixedResponse(a_charge(**members))).can_still_refund(REFUND) is has_left


@pytest.mark.parametrize(
    "members", [{"amount": None}, {"currency": "EUR"}, {"key": "pay_2_charge"}, {"state": "odd"}]
)
async def test_what_is_left_is_not_guessed(members: dict[str, Any]) -> None:
    asking = gateway(FixedResponse(a_charge(**members))).can_still_refund(REFUND)

    assert await code_of(asking) is ErrorCode.GATEWAY_UNAVAILABLE
