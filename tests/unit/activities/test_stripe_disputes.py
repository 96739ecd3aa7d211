"""The adapter looks at disputes of the double of Stripe."""

from typing import Any

import pytest

from domain.dispute import Dispute, DisputeState
from domain.errors import ErrorCode
from domain.gateways import GatewayName
from tests.support.json_neighbour import code_of
from tests.support.stripe_client import official_client
from tests.support.stripe_gateway import StripeDouble

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


async def disputed(stripe: StripeDouble, attempt: str, status: str = "needs_response") -> Dispute:
    """A dispute of this attempt, which has this status."""
    await stripe.post(f"/intents/{attempt}/dispute")
    client = official_client(stripe.http)
    [found] = (await client.v1.disputes.list_async({"payment_intent": attempt})).data
    await stripe.put(f"/disputes/{found.id}", status=status)
    return Dispute(gateway=GatewayName.STRIPE, reference=found.id, attempt=attempt)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("warning_needs_response", DisputeState.INQUIRY),
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
    ],
)
async def test_a_dispute_of_ours_is_found(
    stripe: StripeDouble, status: str, state: DisputeState
) -> None:
    charge = await stripe.captured()
    dispute = await disputed(stripe, charge.reference or "", status)

    found = await stripe.gateway.find_dispute(dispute)

    assert found is not None
    assert (found.state, found.payment_id, found.order_id) == (
        state,
        charge.payment_id,
        charge.order_id,
    )


async def test_the_dispute_of_another_program_is_not_ours(stripe: StripeDouble) -> None:
    client = official_client(stripe.http)
    params: Any = {"amount": 100, "currency": "usd", "payment_method_types": ["card"]}
    intent = await client.v1.payment_intents.create_async(params)
    await client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    dispute = await disputed(stripe, intent.id)

    assert await stripe.gateway.find_dispute(dispute) is None


async def test_another_dispute_does_not_count(stripe: StripeDouble) -> None:
    charge = await stripe.captured()
    dispute = await disputed(stripe, charge.reference or "")

    unknown = dispute.model_copy(update={"reference": "du_unknown"})

    assert await code_of(stripe.gateway.find_dispute(unknown)) is UNAVAILABLE
