"""Payments at the double of Stripe whose customers must act: 3-D Secure, and Stripe's own page."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.customer_action import CustomerAction
from domain.errors import ErrorCode
from domain.gateway import ChargeRequest, ChargeState
from domain.instruction import PAGE_TIME
from tests.support.json_neighbour import code_of
from tests.support.stripe_gateway import (
    ASKS,
    StripeDouble,
    a_charge,
    a_page,
    a_question,
    asking,
    refund_of,
)

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


@pytest.fixture(params=[a_question, a_page], ids=["question", "page"])
async def waiting(request: pytest.FixtureRequest, stripe: StripeDouble) -> ChargeRequest:
    """The request of an attempt that waits: at the bank (3-D Secure), or on the hosted page."""
    opened = await stripe.opened(request.param())
    if opened.token:
        await stripe.gateway.charge(opened)
    return opened


async def state(stripe: StripeDouble, request: ChargeRequest) -> ChargeState:
    found = await stripe.gateway.find_charge(request.identity)
    assert found is not None
    assert (found.key, found.reference) == (request.key, request.reference)
    return found.state


async def act(stripe: StripeDouble, request: ChargeRequest, does: str) -> None:
    await stripe.post(f"/customers/{request.reference}/act", **{"as": does})


async def test_it_waits_until_the_customer_confirms(
    stripe: StripeDouble, waiting: ChargeRequest
) -> None:
    assert await state(stripe, waiting) is ChargeState.WAITING

    await act(stripe, waiting, "confirm")

    assert await state(stripe, waiting) is ChargeState.AUTHORIZED
    captured = await stripe.gateway.capture(waiting)
    assert (captured.state, captured.reference) == (ChargeState.CAPTURED, waiting.reference)
    assert captured.transaction_id is not None
    assert captured.transaction_id.startswith("pi_")
    assert await stripe.ledger() == ["charge.captured"]


async def test_a_customer_is_sent_to_the_bank_also_with_a_confirmation_token(
    stripe: StripeDouble,
) -> None:
    token = await stripe.confirmation_token(ASKS)
    opened = await stripe.opened(a_question().model_copy(update={"token": token}))

    await stripe.gateway.charge(opened)

    assert await stripe.next_action(opened) == "redirect_to_url"


async def test_nothing_is_captured_before(stripe: StripeDouble, waiting: ChargeRequest) -> None:
    assert await code_of(stripe.gateway.capture(waiting)) in {
        UNAVAILABLE,
        ErrorCode.PROCESSOR_ERROR,
    }
    assert await stripe.ledger() == []


async def test_it_is_voided_while_it_waits(stripe: StripeDouble, waiting: ChargeRequest) -> None:
    for _ in range(2):
        voided = await stripe.gateway.void_charge(waiting.identity)
        assert (voided.state, voided.reference) == (ChargeState.VOIDED, waiting.reference)

    assert await state(stripe, waiting) is ChargeState.VOIDED
    refused = await stripe.http.post(f"/customers/{waiting.reference}/act", json={"as": "pay"})
    assert refused.status_code == 400


async def test_who_has_confirmed_too_late_pays_nothing(
    stripe: StripeDouble, waiting: ChargeRequest
) -> None:
    await act(stripe, waiting, "confirm")

    assert (await stripe.gateway.void_charge(waiting.identity)).state is ChargeState.VOIDED
    assert await state(stripe, waiting) is ChargeState.VOIDED
    assert await stripe.ledger() == []


async def test_what_was_captured_is_not_voided(
    stripe: StripeDouble, waiting: ChargeRequest
) -> None:
    await act(stripe, waiting, "confirm")
    await stripe.gateway.capture(waiting)

    assert (await stripe.gateway.void_charge(waiting.identity)).state is ChargeState.CAPTURED


async def test_it_can_be_refunded(stripe: StripeDouble, waiting: ChargeRequest) -> None:
    await act(stripe, waiting, "confirm")
    await stripe.gateway.capture(waiting)
    refund = refund_of(waiting)

    made = await stripe.gateway.refund(refund)

    assert made == await stripe.gateway.find_refund(refund)
    assert await stripe.gateway.can_still_refund(refund_of(waiting, "100.00", 2))
    assert not await stripe.gateway.can_still_refund(refund_of(waiting, "100.01", 3))


async def test_a_customer_who_is_not_authenticated_is_declined(stripe: StripeDouble) -> None:
    request = await stripe.authorized(token=ASKS, customer_action=asking())
    await act(stripe, request, "fail")

    found = await stripe.gateway.find_charge(request.identity)

    assert found is not None
    assert (found.state, found.error_code) == (ChargeState.DECLINED, ErrorCode.INVALID_CARD)


async def test_where_payments_do_not_wait_a_bank_that_asks_declines(stripe: StripeDouble) -> None:
    request = await stripe.opened(token=ASKS)

    declined = await stripe.gateway.charge(request)

    assert (declined.state, declined.error_code) == (ChargeState.DECLINED, ErrorCode.INVALID_CARD)


async def test_a_repeated_confirmation_still_waits(stripe: StripeDouble) -> None:
    request = await stripe.opened(a_question())

    answers = [await stripe.gateway.charge(request) for _ in range(2)]

    assert [each.state for each in answers] == [ChargeState.WAITING] * 2
    assert await stripe.states(request) == ["open"]


@pytest.mark.parametrize("does", ["decline", "fail", "abandon"])
async def test_another_card_can_be_tried_on_the_page(stripe: StripeDouble, does: str) -> None:
    request = await stripe.opened(a_page())
    await act(stripe, request, does)
    assert await state(stripe, request) is ChargeState.WAITING

    await act(stripe, request, "pay")

    assert await state(stripe, request) is ChargeState.AUTHORIZED


@pytest.mark.parametrize("does", ["decline", "fail", "abandon"])
async def test_a_page_where_no_card_was_good_is_closed(stripe: StripeDouble, does: str) -> None:
    request = await stripe.opened(a_page())
    await act(stripe, request, does)

    assert (await stripe.gateway.void_charge(request.identity)).state is ChargeState.VOIDED
    assert await state(stripe, request) is ChargeState.VOIDED


async def test_a_page_is_opened_once(stripe: StripeDouble) -> None:
    request = a_page()

    opened = [await stripe.gateway.open(request) for _ in range(2)]

    assert opened[0] == opened[1]
    assert opened[0].state is ChargeState.OPEN


async def test_a_saved_error_does_not_keep_a_page_from_being_opened(stripe: StripeDouble) -> None:
    request = a_page()
    moved = request.model_copy(
        update={
            "customer_action": CustomerAction(return_url="https://b", wait_seconds=1, hosted=True)
        }
    )
    first = await stripe.gateway.open(request)

    again = await stripe.gateway.open(moved)  # the shop's address was changed

    assert again.reference != first.reference


async def test_the_page_of_another_payment_does_not_count(stripe: StripeDouble) -> None:
    request, other = await stripe.opened(a_page()), await stripe.opened(a_page())
    mixed = request.identity.model_copy(update={"reference": other.reference})

    assert await code_of(stripe.gateway.find_charge(mixed)) is UNAVAILABLE
    assert await code_of(stripe.gateway.void_charge(mixed)) is UNAVAILABLE


async def test_a_page_with_another_amount_does_not_count(stripe: StripeDouble) -> None:
    request = await stripe.opened(a_page())
    dearer = request.amount.parse_same("150.01")

    wrong = request.identity.model_copy(update={"amount": dearer})

    assert await code_of(stripe.gateway.find_charge(wrong)) is UNAVAILABLE


async def test_a_page_ends_in_time_for_stripe(stripe: StripeDouble) -> None:
    """Stripe allows 30 minutes to 24 hours, by its own clock.

    The two cases: our clock is 14 minutes ahead; and the page is opened 23 hours after the request,
    the latest moment that is allowed.
    """
    for age in (timedelta(minutes=-14), timedelta(hours=23)):
        until = datetime.now(UTC) - age + PAGE_TIME
        request = a_charge(token=None, customer_action=asking(hosted=True), page_until=until)
        assert (await stripe.gateway.open(request)).state is ChargeState.OPEN
