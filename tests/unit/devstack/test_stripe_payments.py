"""The Stripe-shaped gateway has Stripe's states of a PaymentIntent. The official client asks."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.unit.devstack.stripe_double import Double, error_of, refused

UNEXPECTED = (400, "invalid_request_error", "payment_intent_unexpected_state", None)


async def test_opening_moves_nothing(double: Double) -> None:
    intent = await double.create()

    assert intent.status == "requires_payment_method"
    assert (intent.amount, intent.currency, intent.livemode) == (15_000, "usd", False)
    assert intent.metadata["order_id"] == "order"
    assert intent.client_secret
    assert intent.latest_charge is None
    assert await double.ledger() == []


async def test_a_charge_is_authorized_then_captured(double: Double) -> None:
    intent = await double.create()

    authorized = await double.confirm(intent.id)
    assert (authorized.status, authorized.amount_capturable) == ("requires_capture", 15_000)
    assert await double.ledger() == []

    captured = await double.capture(intent.id)
    assert (captured.status, captured.amount_received) == ("succeeded", 15_000)
    assert await double.ledger() == [("charge.captured", "pay_p_charge", "150.00")]
    assert (await double.intents.retrieve_async(intent.id)).status == "succeeded"


async def test_an_automatic_capture_takes_the_money_with_the_confirmation(double: Double) -> None:
    intent = await double.create(capture_method="automatic")

    assert (await double.confirm(intent.id)).status == "succeeded"
    assert len(await double.ledger()) == 1


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
async def test_a_declined_payment_can_still_be_paid(
    double: Double, card: str, code: str, decline_code: str
) -> None:
    intent = await double.create()

    error = await refused(double.confirm(intent.id, card))

    assert isinstance(error, stripe.CardError)
    assert (error.http_status, error.code) == (402, code)
    assert error.error
    assert error.error.decline_code == decline_code
    assert error.error.payment_intent
    assert error.error.payment_intent.status == "requires_payment_method"
    assert error.error.payment_intent.last_payment_error
    assert error.error.payment_intent.payment_method is None
    assert (await double.confirm(intent.id)).status == "requires_capture"


async def test_a_canceled_payment_takes_no_further_request(double: Double) -> None:
    intent = await double.create()

    assert (await double.cancel(intent.id)).status == "canceled"

    assert await error_of(double.confirm(intent.id)) == UNEXPECTED
    assert await error_of(double.capture(intent.id)) == UNEXPECTED
    assert await error_of(double.cancel(intent.id)) == UNEXPECTED
    assert (await double.intents.retrieve_async(intent.id)).status == "canceled"
    assert await double.ledger() == []


async def test_a_captured_payment_takes_no_further_request(double: Double) -> None:
    intent = await double.paid()

    for refusing in (double.confirm, double.capture, double.cancel):
        error = await refused(refusing(intent.id))
        assert error.code == "payment_intent_unexpected_state"
        assert error.error
        assert error.error.payment_intent
        assert error.error.payment_intent.status == "succeeded"
    assert len(await double.ledger()) == 1


async def test_nothing_is_captured_that_is_not_authorized(double: Double) -> None:
    intent = await double.create()

    assert await error_of(double.capture(intent.id)) == UNEXPECTED
    await refused(double.confirm(intent.id, "chargeDeclined"))
    assert await error_of(double.capture(intent.id)) == UNEXPECTED


async def test_a_canceled_authorization_shows_as_a_refund_that_moves_no_money(
    double: Double,
) -> None:
    intent = await double.create()
    await double.confirm(intent.id)

    canceled = await double.intents.cancel_async(intent.id, {"expand": ["latest_charge"]})

    charge: Any = canceled.latest_charge
    assert (charge.captured, charge.amount_captured, charge.amount_refunded) == (False, 0, 15_000)
    released = await double.client.v1.refunds.list_async({"payment_intent": intent.id})
    (refund,) = (each.to_dict() for each in released.data)
    assert (refund["status"], refund["amount"], refund["metadata"]) == ("succeeded", 15_000, {})
    assert await double.ledger() == []


async def test_a_bank_that_asks_the_customer_is_a_decline_if_asking_is_an_error(
    double: Double,
) -> None:
    intent = await double.create()
    confirming = double.confirm(intent.id, "authenticationRequired", error_on_requires_action=True)

    error = await refused(confirming)

    assert (error.http_status, error.code) == (402, "authentication_required")
    assert error.error
    assert error.error.decline_code == "authentication_not_handled"
    after = await double.intents.retrieve_async(intent.id)
    assert (after.status, after.latest_charge) == ("requires_payment_method", None)


@pytest.mark.parametrize(
    ("options", "action"),
    [({}, "use_stripe_sdk"), ({"use_stripe_sdk": False}, "redirect_to_url")],
)
async def test_a_confirmation_token_leaves_the_question_to_the_browser(
    double: Double, options: dict[str, Any], action: str
) -> None:
    helpers = double.client.v1.test_helpers
    card = "pm_card_authenticationRequired"
    token = await helpers.confirmation_tokens.create_async({"payment_method": card})
    intent = await double.create()
    params: Any = {"confirmation_token": token.id, "return_url": "https://a", **options}

    asked = await double.intents.confirm_async(intent.id, params)

    assert asked.next_action
    assert asked.next_action.type == action


async def test_a_customer_who_is_asked_decides_what_becomes_of_the_payment(double: Double) -> None:
    intent = await double.create()

    asked = await double.confirm(
        intent.id, "authenticationRequired", return_url="https://shop.example/back"
    )

    assert asked.status == "requires_action"
    assert asked.next_action
    assert asked.next_action.redirect_to_url
    assert asked.next_action.redirect_to_url.return_url == "https://shop.example/back"
    assert await error_of(double.capture(intent.id)) == UNEXPECTED
    await double.put(f"/intents/{intent.id}", status="requires_payment_method")
    await double.confirm(intent.id, "authenticationRequired")
    await double.put(f"/intents/{intent.id}", status="requires_capture")
    assert (await double.capture(intent.id)).status == "succeeded"


async def test_an_authorization_that_expires_is_canceled_by_stripe(double: Double) -> None:
    intent = await double.create()
    await double.confirm(intent.id)

    await double.put(f"/intents/{intent.id}", status="canceled")

    expired = await double.intents.retrieve_async(intent.id)
    assert (expired.status, expired.cancellation_reason) == ("canceled", "automatic")
    assert await error_of(double.capture(intent.id)) == UNEXPECTED


async def test_a_payment_that_is_processing_cannot_be_canceled(double: Double) -> None:
    intent = await double.create()
    await double.put(f"/intents/{intent.id}", status="processing")

    assert await error_of(double.cancel(intent.id)) == UNEXPECTED
    assert await error_of(double.confirm(intent.id)) == UNEXPECTED


@pytest.mark.parametrize("token", ["pm_0", "pm_card_nobody", "pm_card_", "tok_visa"])
async def test_an_unknown_card_is_refused(double: Double, token: str) -> None:
    intent = await double.create()

    confirming = double.confirm(intent.id, payment_method=token)

    missing = (400, "invalid_request_error", "resource_missing", "payment_method")
    assert await error_of(confirming) == missing


async def test_a_card_of_a_browser_is_used_once(double: Double) -> None:
    made = await double.client.v1.payment_methods.create_async(
        {"type": "card", "card": {"token": "tok_visa"}}
    )
    helpers = double.client.v1.test_helpers
    token = await helpers.confirmation_tokens.create_async({"payment_method": "pm_card_visa"})

    uses: list[Any] = [{"payment_method": made.id}, {"confirmation_token": token.id}]
    for members in uses:
        first, second = await double.create(), await double.create()
        assert (await double.intents.confirm_async(first.id, members)).status == "requires_capture"
        error = await refused(double.intents.confirm_async(second.id, members))
        assert error.http_status == 400
        assert "previously used" in str(error)


async def test_a_payment_without_a_card_is_not_confirmed(double: Double) -> None:
    intent = await double.create()

    assert await error_of(double.intents.confirm_async(intent.id, {})) == UNEXPECTED


async def test_nobody_else_touches_a_payment_that_a_request_changes(double: Double) -> None:
    intent = await double.create()
    await double.put("/settings", latencyMs=200)

    slow = asyncio.create_task(double.confirm(intent.id))
    await double.is_running(intent.id)

    locked = (429, "invalid_request_error", "lock_timeout", None)
    assert await error_of(double.cancel(intent.id)) == locked
    assert (await slow).status == "requires_capture"
    assert (await double.cancel(intent.id)).status == "canceled"


async def test_a_confirmation_goes_on_after_its_caller_has_left(double: Double) -> None:
    intent = await double.create()
    await double.put("/settings", latencyMs=50)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(double.confirm(intent.id), timeout=0.01)

    while (await double.intents.retrieve_async(intent.id)).status != "requires_capture":  # noqa: ASYNC110 - as clients do
        await asyncio.sleep(0.01)


async def test_the_settings_of_one_order_change_no_other_order(double: Double) -> None:
    await double.put("/settings/unlucky", successRate=0)
    unlucky = await double.create(metadata={"order_id": "unlucky"})
    other = await double.create()

    assert (await refused(double.confirm(unlucky.id))).http_status == 402
    assert (await double.confirm(other.id)).status == "requires_capture"
