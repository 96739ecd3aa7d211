"""A table of declines, refusals and repeated responses of Stripe, and of their meaning."""

from typing import Any

import pytest

from domain.errors import ErrorCode
from domain.gateway import ChargeState, RefundState
from tests.support.json_neighbour import FixedResponse, code_of
from tests.support.stripe_gateway import on_handler
from tests.support.stripe_responses import (
    CANCELED,
    CAPTURED,
    CHARGE,
    MADE_REFUND,
    OPEN,
    PI,
    REFUND,
    SENDS,
    after,
    declined,
    error,
    intent,
)

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"decline_code": "insufficient_funds"}, ErrorCode.INSUFFICIENT_FUNDS),
        ({"decline_code": "generic_decline"}, ErrorCode.CARD_DECLINED),
        ({"decline_code": "lost_card"}, ErrorCode.CARD_DECLINED),
        ({"decline_code": "a_new_one"}, ErrorCode.CARD_DECLINED),
        ({"decline_code": None}, ErrorCode.CARD_DECLINED),
        ({"decline_code": None, "code": "expired_card"}, ErrorCode.INVALID_CARD),
        ({"decline_code": "try_again_later"}, ErrorCode.PROCESSOR_ERROR),
        ({"code": "authentication_required", "decline_code": None}, ErrorCode.INVALID_CARD),
    ],
)
async def test_a_decline_is_mapped(members: dict[str, Any], code: ErrorCode) -> None:
    charge = await on_handler(declined(**members)).charge(CHARGE)

    assert (charge.state, charge.error_code) == (ChargeState.DECLINED, code)
    assert (charge.reference, charge.key) == (PI, CHARGE.key)


@pytest.mark.parametrize(
    "about",
    [
        None,
        {"id": "pi_2", "status": "requires_payment_method"},
        {"id": PI, "status": "requires_capture"},
        {"id": PI},
    ],
    ids=str,
)
async def test_a_decline_of_another_payment_is_unknown(about: Any) -> None:
    handler = declined(payment_intent=about)

    assert await code_of(on_handler(handler).charge(CHARGE)) is UNAVAILABLE


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (intent(), ChargeState.AUTHORIZED),
        (CAPTURED, ChargeState.CAPTURED),
        (CANCELED, ChargeState.VOIDED),
    ],
)
@pytest.mark.parametrize("code", ["payment_intent_unexpected_state", "a_new_code", None])
async def test_a_refused_charge_is_looked_up(
    found: dict[str, Any], state: ChargeState, code: str | None
) -> None:
    gateway = on_handler(after(error(code=code), found))

    assert (await gateway.charge(CHARGE)).state is state


async def test_a_refused_card_leaves_an_open_charge_declined() -> None:
    for param in ("payment_method", "confirmation_token"):
        missing = error(code="resource_missing", param=param)
        charge = await on_handler(after(missing, OPEN)).charge(CHARGE)
        assert (charge.state, charge.error_code) == (ChargeState.DECLINED, ErrorCode.INVALID_CARD)

    other = on_handler(after(error(code="a_new_code", param="amount"), OPEN))
    assert await code_of(other.charge(CHARGE)) is ErrorCode.PROCESSOR_ERROR


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (CAPTURED, ChargeState.CAPTURED),
        (CANCELED, ChargeState.VOIDED),
        (OPEN, ErrorCode.PROCESSOR_ERROR),
        (intent(), UNAVAILABLE),
    ],
)
async def test_a_refused_capture_is_looked_up(found: dict[str, Any], expected: object) -> None:
    gateway = on_handler(after(error(code="payment_intent_unexpected_state"), found))

    if isinstance(expected, ChargeState):
        assert (await gateway.capture(CHARGE)).state is expected
    else:
        assert await code_of(gateway.capture(CHARGE)) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [(CAPTURED, ChargeState.CAPTURED), (CANCELED, ChargeState.VOIDED), (intent(), UNAVAILABLE)],
)
async def test_a_refused_void_is_looked_up(found: dict[str, Any], expected: object) -> None:
    gateway = on_handler(after(error(code="payment_intent_unexpected_state"), found))

    if isinstance(expected, ChargeState):
        assert (await gateway.void_charge(CHARGE.identity)).state is expected
    else:
        assert await code_of(gateway.void_charge(CHARGE.identity)) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("amount_too_large", ErrorCode.AMOUNT_TOO_LARGE),
        ("amount_too_small", ErrorCode.PROCESSOR_ERROR),
        ("a_new_code", ErrorCode.PROCESSOR_ERROR),
        (None, ErrorCode.PROCESSOR_ERROR),
    ],
)
async def test_a_refused_opening_has_moved_nothing(code: str | None, expected: ErrorCode) -> None:
    assert await code_of(on_handler(error(code=code)).open(CHARGE)) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("charge_already_refunded", ErrorCode.REFUND_REFUSED),
        ("charge_disputed", ErrorCode.PAYMENT_DISPUTED),
        (None, ErrorCode.REFUND_REFUSED),
        ("balance_insufficient", UNAVAILABLE),
        ("resource_missing", UNAVAILABLE),
    ],
)
async def test_a_refused_refund_has_no_effect(code: str | None, expected: ErrorCode) -> None:
    assert await code_of(on_handler(error(code=code)).refund(REFUND)) is expected


@pytest.mark.parametrize("name", ["charge", "capture"])
async def test_a_repeated_response_is_looked_up(name: str) -> None:
    replayed = FixedResponse(intent(), Idempotent_Replayed="true")
    gateway = on_handler(after(replayed, CAPTURED))

    answer = await SENDS[name][0](gateway)

    assert answer.state is ChargeState.CAPTURED


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", RefundState.PENDING),
        ("requires_action", RefundState.PENDING),
        ("succeeded", RefundState.SUCCEEDED),
        ("failed", RefundState.FAILED),
        ("canceled", RefundState.FAILED),
    ],
)
async def test_a_refund_has_the_state_that_the_look_up_says(
    status: str, state: RefundState
) -> None:
    gateway = on_handler(after(FixedResponse(MADE_REFUND), {**MADE_REFUND, "status": status}))

    assert (await gateway.refund(REFUND)).state is state
