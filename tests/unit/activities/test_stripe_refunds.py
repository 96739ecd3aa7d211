"""Refunds of the adapter for Stripe on the double: only once, never too much, failing late."""

import pytest

from domain import names
from domain.errors import ErrorCode
from domain.gateway import ChargeState, RefundRequest, RefundState
from tests.support.json_neighbour import code_of
from tests.support.stripe_gateway import StripeDouble, a_charge, refund_of

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE
SUCCEEDED, PENDING, FAILED = RefundState.SUCCEEDED, RefundState.PENDING, RefundState.FAILED


async def found(stripe: StripeDouble, request: RefundRequest) -> RefundState | None:
    refund = await stripe.gateway.find_refund(request)
    return refund.state if refund else None


async def test_a_refund_is_made_once_and_found(stripe: StripeDouble) -> None:
    refund = refund_of(await stripe.captured())
    assert await stripe.gateway.find_refund(refund) is None
    assert await stripe.gateway.can_still_refund(refund)

    made = await stripe.gateway.refund(refund)

    assert made.state is SUCCEEDED
    assert made.reference
    assert await stripe.gateway.refund(refund) == made == await stripe.gateway.find_refund(refund)
    assert await stripe.ledger() == ["charge.captured", "refund.succeeded"]


async def test_a_refund_is_found_on_a_later_page(stripe: StripeDouble) -> None:
    charge = await stripe.captured(amount="150.00")
    first = refund_of(charge, "0.50", 0)
    await stripe.gateway.refund(first)
    for number in range(1, 102):
        await stripe.gateway.refund(refund_of(charge, "0.50", number))

    assert await found(stripe, first) is SUCCEEDED


async def test_no_more_is_refunded_than_was_captured(stripe: StripeDouble) -> None:
    charge, opened, authorized = [
        await stripe.captured(),
        await stripe.opened(),
        await stripe.authorized(),
    ]
    await stripe.gateway.refund(refund_of(charge, "50.00", 1))

    for refund in (
        refund_of(charge, "100.01", 2),
        refund_of(opened, "1.00"),
        refund_of(authorized, "1.00"),
    ):
        assert await code_of(stripe.gateway.refund(refund)) is ErrorCode.REFUND_REFUSED
        assert not await stripe.gateway.can_still_refund(refund)
        assert await stripe.gateway.find_refund(refund) is None
    assert await stripe.gateway.can_still_refund(refund_of(charge, "100.00", 3))


async def test_a_released_authorization_is_no_refund(stripe: StripeDouble) -> None:
    charge = await stripe.authorized()
    await stripe.gateway.void_charge(charge.identity)

    assert await stripe.gateway.find_refund(refund_of(charge)) is None
    assert not await stripe.gateway.can_still_refund(refund_of(charge))
    assert await stripe.ledger() == []


@pytest.mark.parametrize("end", [SUCCEEDED, FAILED])
async def test_a_pending_refund_ends_either_way(stripe: StripeDouble, end: RefundState) -> None:
    await stripe.put("/settings", refund="pending")
    refund = refund_of(await stripe.captured())
    assert (await stripe.gateway.refund(refund)).state is PENDING
    assert await found(stripe, refund) is PENDING

    await stripe.put("/settings", refund="pending", refundEnds=end)

    assert await found(stripe, refund) is end
    assert (await stripe.gateway.refund(refund)).state is end


async def test_a_refund_that_fails_later_is_not_told_as_made(stripe: StripeDouble) -> None:
    refund = refund_of(await stripe.captured())
    assert (await stripe.gateway.refund(refund)).state is SUCCEEDED

    await stripe.put("/settings", refundEnds="failed")

    assert (await stripe.gateway.refund(refund)).state is FAILED
    assert await found(stripe, refund) is FAILED


async def test_a_charge_counts_as_refunded_only_when_the_money_is_gone(
    stripe: StripeDouble,
) -> None:
    charge = await stripe.captured()
    await stripe.put("/settings", refund="pending")
    whole = refund_of(charge, "150.00")
    await stripe.gateway.refund(whole)

    assert await code_of(stripe.gateway.void_charge(charge.identity)) is UNAVAILABLE
    await stripe.put("/settings", refundEnds="succeeded")
    assert (await stripe.gateway.void_charge(charge.identity)).state is ChargeState.REFUNDED
    await stripe.put("/settings", refund="succeeded", refundEnds="failed")
    assert (await stripe.gateway.void_charge(charge.identity)).state is ChargeState.CAPTURED


async def test_a_charge_that_is_refunded_in_part_is_an_error(stripe: StripeDouble) -> None:
    charge = await stripe.captured()
    await stripe.gateway.refund(refund_of(charge))

    assert await code_of(stripe.gateway.find_charge(charge.identity)) is UNAVAILABLE
    assert await code_of(stripe.gateway.void_charge(charge.identity)) is UNAVAILABLE
    assert not await stripe.gateway.can_still_refund(refund_of(charge, "100.01"))


async def test_a_disputed_charge_cannot_be_refunded(stripe: StripeDouble) -> None:
    charge = await stripe.captured()
    await stripe.post(f"/intents/{charge.reference}/dispute")

    assert not await stripe.gateway.can_still_refund(refund_of(charge))
    assert await code_of(stripe.gateway.refund(refund_of(charge))) is ErrorCode.PAYMENT_DISPUTED


@pytest.mark.parametrize("has_effect", [False, True])
async def test_after_a_500_the_list_tells_whether_a_refund_was_made(
    stripe: StripeDouble, *, has_effect: bool
) -> None:
    refund = refund_of(await stripe.captured())
    await stripe.post("/faults", operation="refund", hasEffect=has_effect)

    assert await code_of(stripe.gateway.refund(refund)) is UNAVAILABLE
    assert await found(stripe, refund) is (SUCCEEDED if has_effect else None)
    assert await code_of(stripe.gateway.refund(refund)) is UNAVAILABLE


async def test_a_whole_charge_is_refunded_as_soon_as_stripe_answers_again(
    stripe: StripeDouble,
) -> None:
    refund = refund_of(await stripe.captured(), "150.00")
    await stripe.post("/faults", operation="refund", times=2)

    assert await code_of(stripe.gateway.refund(refund)) is UNAVAILABLE
    assert (await stripe.gateway.refund(refund)).state is SUCCEEDED
    assert await found(stripe, refund) is SUCCEEDED


async def test_a_whole_charge_whose_refund_was_hidden_by_a_500_is_refunded_once(
    stripe: StripeDouble,
) -> None:
    refund = refund_of(await stripe.captured(), "150.00")
    await stripe.post("/faults", operation="refund", hasEffect=True)

    assert await code_of(stripe.gateway.refund(refund)) is UNAVAILABLE
    assert await found(stripe, refund) is SUCCEEDED
    assert await stripe.ledger() == ["charge.captured", "refund.succeeded"]


async def test_two_refunds_with_one_key_call_for_an_operator(stripe: StripeDouble) -> None:
    refund = refund_of(await stripe.captured())
    await stripe.gateway.refund(refund)
    await stripe.post("/keys/forget")
    await stripe.gateway.refund(refund)

    assert await code_of(stripe.gateway.find_refund(refund)) is UNAVAILABLE


async def test_a_key_belongs_to_one_refund(stripe: StripeDouble) -> None:
    charge = await stripe.captured()
    await stripe.gateway.refund(refund_of(charge, "50.00"))
    other = refund_of(charge, "60.00")

    assert await code_of(stripe.gateway.refund(other)) is UNAVAILABLE
    assert await code_of(stripe.gateway.find_refund(other)) is UNAVAILABLE


async def test_a_refund_of_another_accounts_payment_waits(stripe: StripeDouble) -> None:
    request = a_charge(reference="pi_0")

    assert await code_of(stripe.gateway.refund(refund_of(request))) is UNAVAILABLE
    assert await code_of(stripe.gateway.can_still_refund(refund_of(request))) is UNAVAILABLE


async def test_a_refund_in_fractions_of_a_whole_currency_is_refused(stripe: StripeDouble) -> None:
    charge = await stripe.captured(amount="15.000", currency="KWD")
    refund = refund_of(charge, "5.001")

    assert await code_of(stripe.gateway.refund(refund)) is ErrorCode.REFUND_REFUSED
    assert not await stripe.gateway.can_still_refund(refund)


async def test_the_refund_of_a_compensation_is_found_by_its_own_key(stripe: StripeDouble) -> None:
    charge = await stripe.captured()
    whole = refund_of(charge, "150.00").model_copy(
        update={"key": names.refund_key(charge.payment_id)}
    )

    assert (await stripe.gateway.refund(whole)).state is SUCCEEDED
    assert await found(stripe, whole) is SUCCEEDED
    assert await stripe.gateway.find_refund(refund_of(charge)) is None
