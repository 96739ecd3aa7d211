"""The adapter for Stripe charges on the double: opens, authorizes, captures, voids, looks up."""

from typing import Any

import pytest

from activities.gateway_ports import OpeningGateway
from domain.errors import ErrorCode
from domain.gateway import ChargeIdentity, ChargeState
from domain.money import Money
from tests.support.json_neighbour import code_of
from tests.support.stripe_gateway import StripeDouble, a_charge

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


async def test_it_is_a_gateway_that_opens(stripe: StripeDouble) -> None:
    assert isinstance(stripe.gateway, OpeningGateway)


async def test_opening_moves_no_money_and_gives_the_reference(stripe: StripeDouble) -> None:
    request = a_charge()

    opened = await stripe.gateway.open(request)

    assert opened.state is ChargeState.OPEN
    assert opened.reference
    assert opened.transaction_id == opened.reference
    assert opened.is_simulated
    assert (await stripe.gateway.open(request)).reference == opened.reference
    assert await stripe.ledger() == []


async def test_a_charge_is_authorized_then_captured(stripe: StripeDouble) -> None:
    request = await stripe.opened()

    authorized = await stripe.gateway.charge(request)
    assert authorized.state is ChargeState.AUTHORIZED
    assert await stripe.ledger() == []

    captured = await stripe.gateway.capture(request)
    assert captured.state is ChargeState.CAPTURED
    assert captured.reference == captured.transaction_id == request.reference
    assert await stripe.ledger() == ["charge.captured"]


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("chargeDeclined", ErrorCode.CARD_DECLINED),
        ("chargeDeclinedInsufficientFunds", ErrorCode.INSUFFICIENT_FUNDS),
        ("chargeDeclinedLostCard", ErrorCode.CARD_DECLINED),
        ("chargeDeclinedStolenCard", ErrorCode.CARD_DECLINED),
        ("chargeDeclinedFraudulent", ErrorCode.CARD_DECLINED),
        ("chargeDeclinedExpiredCard", ErrorCode.INVALID_CARD),
        ("chargeDeclinedIncorrectCvc", ErrorCode.INVALID_CARD),
        ("chargeDeclinedProcessingError", ErrorCode.PROCESSOR_ERROR),
        ("authenticationRequired", ErrorCode.INVALID_CARD),
        ("nobody", ErrorCode.INVALID_CARD),
    ],
)
async def test_a_decline_has_our_code_and_is_voided_before_it_ends(
    stripe: StripeDouble, card: str, code: ErrorCode
) -> None:
    request = await stripe.opened(token=f"pm_card_{card}")

    declined = await stripe.gateway.charge(request)

    assert (declined.state, declined.error_code) == (ChargeState.DECLINED, code)
    assert declined.message
    assert (await stripe.gateway.charge(request)).error_code is code
    voided = await stripe.gateway.void_charge(request.identity)
    assert voided.state is ChargeState.VOIDED
    assert (await stripe.gateway.charge(request)).state is ChargeState.VOIDED
    assert await stripe.ledger() == []


async def test_nobody_can_tell_a_lost_card_from_a_declined_one(stripe: StripeDouble) -> None:
    cards = ("chargeDeclined", "chargeDeclinedLostCard", "chargeDeclinedFraudulent")

    declined = [
        await stripe.gateway.charge(await stripe.opened(token=f"pm_card_{card}")) for card in cards
    ]

    assert len({(each.error_code, each.message) for each in declined}) == 1


async def test_the_reason_of_a_decline_is_found_later(stripe: StripeDouble) -> None:
    request = await stripe.opened(token="pm_card_chargeDeclinedInsufficientFunds")
    await stripe.gateway.charge(request)

    declined = await stripe.gateway.find_charge(request.identity)
    await stripe.gateway.void_charge(request.identity)
    voided = await stripe.gateway.find_charge(request.identity)

    assert declined
    assert voided
    assert (declined.state, voided.state) == (ChargeState.DECLINED, ChargeState.VOIDED)
    assert declined.error_code is voided.error_code is ErrorCode.INSUFFICIENT_FUNDS


async def test_a_card_that_was_declined_before_is_no_reason_once_another_was_charged(
    stripe: StripeDouble,
) -> None:
    request = await stripe.opened(token="pm_card_chargeDeclined")
    await stripe.gateway.charge(request)
    await stripe.put(f"/intents/{request.reference}", status="requires_capture")

    found = await stripe.gateway.find_charge(request.identity)

    assert found
    assert (found.state, found.error_code) == (ChargeState.AUTHORIZED, None)


async def test_every_state_is_found_by_the_reference(stripe: StripeDouble) -> None:
    async def state_of(request: Any) -> ChargeState:
        found = await stripe.gateway.find_charge(request.identity)
        assert found
        assert found.reference == request.reference
        return found.state

    assert await state_of(await stripe.opened()) is ChargeState.OPEN
    assert await state_of(await stripe.authorized()) is ChargeState.AUTHORIZED
    assert await state_of(await stripe.captured()) is ChargeState.CAPTURED
    voided = await stripe.authorized()
    await stripe.gateway.void_charge(voided.identity)
    assert await state_of(voided) is ChargeState.VOIDED


async def test_a_captured_charge_is_not_voided(stripe: StripeDouble) -> None:
    request = await stripe.captured()

    assert (await stripe.gateway.void_charge(request.identity)).state is ChargeState.CAPTURED
    assert await stripe.ledger() == ["charge.captured"]


async def test_a_voided_charge_is_never_captured(stripe: StripeDouble) -> None:
    for request in (await stripe.opened(), await stripe.authorized()):
        voided = await stripe.gateway.void_charge(request.identity)
        assert voided.state is ChargeState.VOIDED
        assert (await stripe.gateway.void_charge(request.identity)).state is ChargeState.VOIDED
        assert (await stripe.gateway.charge(request)).state is ChargeState.VOIDED
        assert (await stripe.gateway.capture(request)).state is ChargeState.VOIDED
    assert await stripe.ledger() == []


async def test_a_repeated_request_says_how_the_charge_is_now(stripe: StripeDouble) -> None:
    request = await stripe.captured()

    assert (await stripe.gateway.charge(request)).state is ChargeState.CAPTURED
    assert (await stripe.gateway.capture(request)).state is ChargeState.CAPTURED
    assert await stripe.ledger() == ["charge.captured"]


async def test_a_charge_that_is_not_decided_is_unknown(stripe: StripeDouble) -> None:
    request = await stripe.opened()
    await stripe.put(f"/intents/{request.reference}", status="processing")

    assert await code_of(stripe.gateway.find_charge(request.identity)) is UNAVAILABLE
    assert await code_of(stripe.gateway.capture(request)) is UNAVAILABLE
    assert await code_of(stripe.gateway.void_charge(request.identity)) is UNAVAILABLE


async def test_an_authorization_that_expired_is_voided(stripe: StripeDouble) -> None:
    request = await stripe.authorized()
    await stripe.put(f"/intents/{request.reference}", status="canceled")

    assert (await stripe.gateway.capture(request)).state is ChargeState.VOIDED


async def test_a_charge_that_is_not_authorized_is_not_captured(stripe: StripeDouble) -> None:
    request = await stripe.opened()

    assert await code_of(stripe.gateway.capture(request)) is ErrorCode.PROCESSOR_ERROR


async def test_without_a_token_an_earlier_charge_is_found_and_a_new_one_refused(
    stripe: StripeDouble,
) -> None:
    opened, authorized = await stripe.opened(), await stripe.authorized()

    lost = opened.model_copy(update={"token": None})
    assert await code_of(stripe.gateway.charge(lost)) is ErrorCode.PROCESSOR_ERROR
    found = await stripe.gateway.charge(authorized.model_copy(update={"token": None}))
    assert found.state is ChargeState.AUTHORIZED


async def test_a_confirmation_token_is_sent_as_one_and_used_once(stripe: StripeDouble) -> None:
    token = await stripe.confirmation_token("pm_card_visa")
    first, second = await stripe.opened(token=token), await stripe.opened(token=token)

    assert (await stripe.gateway.charge(first)).state is ChargeState.AUTHORIZED
    assert await code_of(stripe.gateway.charge(second)) is ErrorCode.PROCESSOR_ERROR
    assert await stripe.states(second) == ["open"]


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("0.49", "USD", ErrorCode.PROCESSOR_ERROR),
        ("1000000.00", "USD", ErrorCode.AMOUNT_TOO_LARGE),
        ("100000000", "JPY", ErrorCode.AMOUNT_TOO_LARGE),
        ("15.001", "KWD", ErrorCode.PROCESSOR_ERROR),
        ("100.50", "MGA", ErrorCode.PROCESSOR_ERROR),
        ("15.000", "IQD", ErrorCode.PROCESSOR_ERROR),
        ("150.00", "KPW", ErrorCode.PROCESSOR_ERROR),
    ],
)
async def test_an_amount_that_stripe_does_not_take_is_refused(
    stripe: StripeDouble, amount: str, currency: str, code: ErrorCode
) -> None:
    assert await code_of(stripe.gateway.open(a_charge(amount, currency))) is code


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        *(("150.00", "USD"), ("999999.99", "USD"), ("15000", "JPY"), ("15000", "ISK")),
        *(("15000", "UGX"), ("1500.00", "MGA"), ("15.010", "KWD"), ("15000.50", "HUF")),
    ],
)
async def test_stripe_takes_exactly_our_amount(
    stripe: StripeDouble, amount: str, currency: str
) -> None:
    request = await stripe.captured(amount=amount, currency=currency)

    (shown,) = (await stripe.http.get(f"/charges?paymentId={request.payment_id}")).json()
    assert Money.read(str(shown["amount"]), currency).amount == request.amount.amount
    assert shown["currency"] == currency


async def test_a_charge_of_another_amount_payment_or_account_is_unknown(
    stripe: StripeDouble,
) -> None:
    request, other = await stripe.authorized(), await stripe.authorized()
    changes: list[dict[str, Any]] = [
        {"amount": Money.parse("151.00", "USD")},
        {"amount": Money.parse("150.00", "EUR")},
        {"key": other.key},
        {"reference": other.reference},
        {"reference": "pi_0"},
        {"reference": None},
    ]
    for change in changes:
        identity = request.identity.model_copy(update=change)
        assert await code_of(stripe.gateway.find_charge(identity)) is UNAVAILABLE

    without_amount = ChargeIdentity(key=request.key, amount=None, reference=request.reference)
    assert await stripe.gateway.find_charge(without_amount)
