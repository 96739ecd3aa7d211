"""A response of the gateway counts only if it is about this very request."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeIdentity, ChargeRequest, ChargeState
from domain.money import Money
from tests.support.gateway_responses import (
    AMOUNT,
    KEY,
    ODD_STATUSES,
    REFUND,
    a_charge,
    a_refusal,
    gateway,
)
from tests.support.json_neighbour import ORDER, UNUSABLE, FixedResponse, Handler, code_of

CHARGE = ChargeRequest(
    key=KEY,
    payment_id=UUID(int=1),
    order_id=ORDER,
    amount=Money.parse("9999999999999.90", "USD"),
    payment_method="wallet",
)


SUCCESS = a_charge(transactionId="txn_1", response="Success - TransactionId: txn_1")


DECLINE = a_charge(
    state="declined",
    code="INSUFFICIENT_FUNDS",
    message="Not enough.",
    response="Failed - INSUFFICIENT_FUNDS: Not enough.",
)


REFUNDED = a_charge(state="refunded", refundedAmount="9999999999999.90")


VOIDED = {"key": KEY, "state": "voided", "isSimulated": True}


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("members", [{}, {"currency": "usd"}, {"amount": "9999999999999.9000"}])
async def test_a_capture_is_an_answer(status: int, members: dict[str, str]) -> None:
    assert await gateway(FixedResponse({**SUCCESS, **members}, status)).charge(CHARGE) == Charge(
        key=KEY,
        state=ChargeState.CAPTURED,
        transaction_id="txn_1",
        is_simulated=True,
        simulated_response="Success - TransactionId: txn_1",
    )


async def test_a_decline_is_an_answer() -> None:
    assert await gateway(FixedResponse(DECLINE, 402)).charge(CHARGE) == Charge(
        key=KEY,
        state=ChargeState.DECLINED,
        error_code=ErrorCode.INSUFFICIENT_FUNDS,
        message="Not enough.",
        is_simulated=True,
        simulated_response="Failed - INSUFFICIENT_FUNDS: Not enough.",
    )


@pytest.mark.parametrize("code", ["LOST_CARD", "insufficient_funds"])
async def test_a_decline_with_a_foreign_code_is_a_processor_error(code: str) -> None:
    charge = await gateway(FixedResponse({**DECLINE, "code": code}, 402)).charge(CHARGE)

    assert charge.error_code is ErrorCode.PROCESSOR_ERROR


async def test_a_decline_says_no_more_than_can_be_kept() -> None:
    message = "Declined\x00. " + "x" * 240_000

    charge = await gateway(FixedResponse({**DECLINE, "message": message}, 402)).charge(CHARGE)

    assert charge.message == ("Declined. " + "x" * 240_000)[:255]


async def test_a_voided_key_is_an_answer() -> None:
    charge = await gateway(FixedResponse(VOIDED, 409)).charge(CHARGE)

    assert charge.state is ChargeState.VOIDED


async def test_a_refunded_charge_is_an_answer() -> None:
    assert (await gateway(FixedResponse(REFUNDED)).charge(CHARGE)).state is ChargeState.REFUNDED


async def test_a_real_gateways_response_is_not_called_simulated() -> None:
    charge = await gateway(FixedResponse({**SUCCESS, "isSimulated": False})).charge(CHARGE)

    assert (charge.is_simulated, charge.simulated_response) == (False, None)


async def test_a_charge_is_sent_once_and_exactly() -> None:
    answers = FixedResponse(SUCCESS)

    await gateway(answers).charge(CHARGE)

    request = answers.request
    assert (request.method, request.url.path) == ("POST", "/base/charges")
    assert request.headers["idempotency-key"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert request.content.decode() == (
        f'{{"paymentId":"{UUID(int=1)}","orderId":"{ORDER}","amount":9999999999999.90,'
        '"currency":"USD","paymentMethod":"wallet"}'
    )


@pytest.mark.parametrize(("status", "code"), [(400, "INVALID_REQUEST"), (422, "KEY_REUSED")])
async def test_only_the_gateway_itself_refuses_a_charge(status: int, code: str) -> None:
    ours, others = a_refusal(code), a_refusal(code, "pay_2_charge")

    assert (
        await code_of(gateway(FixedResponse(ours, status)).charge(CHARGE))
        is ErrorCode.PROCESSOR_ERROR
    )
    for body in (others, {"error": "mismatch"}, a_refusal("OTHER"), {}, "<html>"):
        charging = gateway(FixedResponse(body, status)).charge(CHARGE)
        assert await code_of(charging) is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("status", [*ODD_STATUSES, 402])
@pytest.mark.parametrize(
    "body", [SUCCESS, REFUNDED, a_refusal("IN_PROGRESS"), {"error": "no"}, b"<html>"]
)
async def test_no_other_status_says_what_became_of_a_charge(status: int, body: Any) -> None:
    charging = gateway(FixedResponse(body, status)).charge(CHARGE)

    assert await code_of(charging) is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("status", [200, 201, 202, 400, 401, 403, 409, 422])
async def test_only_402_declines(status: int) -> None:
    for body in (DECLINE, {**DECLINE, "key": "pay_2_charge"}):
        charging = gateway(FixedResponse(body, status)).charge(CHARGE)
        assert await code_of(charging) is ErrorCode.GATEWAY_UNAVAILABLE


ANOTHER_AMOUNT: dict[str, dict[str, Any]] = {
    "partial approval": {"amount": "1.00"},
    "more": {"amount": "99999999999999.90"},
    "cents": {"amount": "999999999999990"},
    "not a number": {"amount": "NaN"},
    "no amount": {"amount": None},
    "other currency": {"currency": "JPY"},
    "no currency": {"currency": None},
    "partly refunded": {"refundedAmount": "0.01"},
    "refunded": {"refundedAmount": "9999999999999.90"},
    "odd refund": {"refundedAmount": "-1"},
    "refunded of what": {"state": "refunded"},
    "refunded a part": {"state": "refunded", "refundedAmount": "9999999999999.89"},
    "declined another": {"state": "declined", "amount": "1.00"},
    "voided another": {"state": "voided", "currency": "EUR"},
    "voided and refunded": {"state": "voided", "refundedAmount": "1"},
}


NO_CHARGE: dict[str, Handler] = {
    **{name: UNUSABLE[name] for name in ("429", "500", "504", "refused", "timeout", "cut")},
    "truncated": FixedResponse(json.dumps(SUCCESS)[:-5], 201),
    "array": FixedResponse("[]", 201),
    "no key": FixedResponse({"state": "captured", "isSimulated": True, **AMOUNT}, 201),
    "no state": FixedResponse({"key": KEY, "isSimulated": True, **AMOUNT}, 201),
    "foreign state": FixedResponse(a_charge(state="settling"), 201),
    "no state of this gateway": FixedResponse(a_charge(state="authorized"), 200),
    "another's key": FixedResponse(a_charge(key="pay_2_charge"), 201),
    **{name: FixedResponse(a_charge(**members), 200) for name, members in ANOTHER_AMOUNT.items()},
}


@pytest.mark.parametrize("handler", NO_CHARGE.values(), ids=NO_CHARGE)
@pytest.mark.parametrize("operation", ["charge", "find", "void"])
async def test_an_unclear_answer_leaves_the_outcome_open(handler: Handler, operation: str) -> None:
    ask = gateway(handler)
    operations: dict[str, Callable[[], Awaitable[object]]] = {
        "charge": lambda: ask.charge(CHARGE),
        "find": lambda: ask.find_charge(CHARGE.identity),
        "void": lambda: ask.void_charge(CHARGE.identity),
    }

    assert await code_of(operations[operation]()) is ErrorCode.GATEWAY_UNAVAILABLE


async def test_a_charge_is_looked_up_by_its_key() -> None:
    answers = FixedResponse(SUCCESS)

    charge = await gateway(answers).find_charge(CHARGE.identity)

    assert charge is not None
    assert charge.state is ChargeState.CAPTURED
    assert (answers.request.method, answers.request.url.path) == ("GET", f"/base/charges/{KEY}")


async def test_a_key_that_the_gateway_has_not_seen_has_no_charge() -> None:
    unknown = FixedResponse(a_refusal("CHARGE_NOT_FOUND"), 404)

    assert await gateway(unknown).find_charge(CHARGE.identity) is None


@pytest.mark.parametrize(
    "body",
    [
        *({"error": "no such page"}, "", "<html>", {"key": KEY}, [], SUCCESS),
        *(a_refusal("CHARGE_NOT_FOUND", "pay_2_charge"), a_refusal("REFUND_NOT_FOUND")),
    ],
    ids=str,
)
async def test_a_404_of_somebody_else_says_nothing(body: Any) -> None:
    ask = gateway(FixedResponse(body, 404))
    findings: list[Awaitable[object]] = [
        ask.find_charge(CHARGE.identity),
        ask.find_refund(REFUND),
    ]
    for finding in findings:
        assert await code_of(finding) is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("status", [201, 202, 302, 400, 401, 402, 403, 404, 409])
async def test_a_refused_look_up_leaves_the_outcome_open(status: int) -> None:
    for body in ({"error": "no"}, SUCCESS, DECLINE):
        ask = gateway(FixedResponse(body, status))
        findings: list[Awaitable[object]] = [
            ask.find_charge(CHARGE.identity),
            ask.void_charge(CHARGE.identity),
            ask.can_still_refund(REFUND),
        ]
        for finding in findings:
            assert await code_of(finding) is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("body", [SUCCESS, DECLINE, REFUNDED, VOIDED], ids=lambda it: it["state"])
@pytest.mark.parametrize("amount", [CHARGE.amount, None])
async def test_a_void_answers_how_the_charge_finally_stands(
    body: dict[str, Any], amount: Money | None
) -> None:
    answers = FixedResponse(body)

    assert (
        await gateway(answers).void_charge(ChargeIdentity(key=KEY, amount=amount))
    ).state == body["state"]
    assert answers.request.method == "POST"
    assert answers.request.url.path == f"/base/charges/{KEY}/void"


@pytest.mark.parametrize("status_and_body", [(201, SUCCESS), (402, DECLINE), (409, VOIDED)])
async def test_a_simulator_takes_no_money_in_production(
    status_and_body: tuple[int, dict[str, Any]],
) -> None:
    status, body = status_and_body
    charged = await gateway(FixedResponse(body, status), accept_simulated=False).charge(CHARGE)
    looked_up = gateway(FixedResponse(body), accept_simulated=False)

    for charge in (
        charged,
        await looked_up.find_charge(CHARGE.identity),
        await looked_up.void_charge(CHARGE.identity),
    ):
        assert charge is not None
        assert (charge.state, charge.error_code) == ("declined", ErrorCode.GATEWAY_SIMULATED)


async def test_real_money_is_taken_in_production() -> None:
    real = FixedResponse({**SUCCESS, "isSimulated": False})

    charge = await gateway(real, accept_simulated=False).charge(CHARGE)

    assert charge.state is ChargeState.CAPTURED
