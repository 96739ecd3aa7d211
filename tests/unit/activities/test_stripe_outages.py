"""The adapter for Stripe while the double fails: errors that stay, lost keys, limits, locks."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeRequest, ChargeState
from tests.support.json_neighbour import code_of
from tests.support.stripe_gateway import StripeDouble, a_charge

UNAVAILABLE = ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("has_effect", [False, True])
async def test_a_saved_500_does_not_keep_an_attempt_from_being_opened(
    stripe: StripeDouble, *, has_effect: bool
) -> None:
    await stripe.post("/faults", operation="create", hasEffect=has_effect)
    request = await stripe.opened()

    assert (await stripe.gateway.charge(request)).state is ChargeState.AUTHORIZED
    assert len(await stripe.states(request)) == (2 if has_effect else 1)


async def test_an_attempt_is_opened_as_soon_as_stripe_answers_again(stripe: StripeDouble) -> None:
    request = a_charge()
    await stripe.post("/faults", operation="create", times=4)

    for _ in range(3):
        assert await code_of(stripe.gateway.open(request)) is UNAVAILABLE

    assert (await stripe.gateway.open(request)).state is ChargeState.OPEN


async def test_an_attempt_is_opened_again_if_the_key_belongs_to_another_body(
    stripe: StripeDouble,
) -> None:
    first = a_charge()
    await stripe.gateway.open(first)
    moved = first.model_copy(update={"order_id": a_charge().order_id})

    assert (await stripe.gateway.open(moved)).state is ChargeState.OPEN


@pytest.mark.parametrize("operation", ["confirm", "capture", "cancel"])
async def test_after_a_500_that_hides_an_effect_the_reference_tells_it(
    stripe: StripeDouble, operation: str
) -> None:
    request, send = await about_to(stripe, operation)
    await stripe.post("/faults", operation=operation, hasEffect=True)

    assert await code_of(send()) is UNAVAILABLE

    found = await stripe.gateway.find_charge(request.identity)
    assert found
    assert found.state is AFTER[operation]
    ended = await stripe.gateway.void_charge(request.identity)
    captured = operation == "capture"
    assert ended.state is (ChargeState.CAPTURED if captured else ChargeState.VOIDED)


@pytest.mark.parametrize("operation", ["confirm", "capture"])
async def test_a_saved_500_without_an_effect_keeps_nobody_from_paying(
    stripe: StripeDouble, operation: str
) -> None:
    _, send = await about_to(stripe, operation)
    await stripe.post("/faults", operation=operation, times=4)

    for _ in range(3):
        assert await code_of(send()) is UNAVAILABLE

    assert (await send()).state is AFTER[operation]
    assert (await stripe.ledger()).count("charge.captured") == (operation == "capture")


async def test_a_void_is_repeated_until_stripe_answers(stripe: StripeDouble) -> None:
    _, void = await about_to(stripe, "cancel")
    await stripe.post("/faults", operation="cancel", times=2)

    for _ in range(2):
        assert await code_of(void()) is UNAVAILABLE

    assert (await void()).state is ChargeState.VOIDED


AFTER = {
    "confirm": ChargeState.AUTHORIZED,
    "capture": ChargeState.CAPTURED,
    "cancel": ChargeState.VOIDED,
}


async def about_to(
    stripe: StripeDouble, operation: str
) -> tuple[ChargeRequest, Callable[[], Awaitable[Charge]]]:
    """A charge in the state before this operation, and the method that sends the operation."""
    request = await (stripe.opened() if operation == "confirm" else stripe.authorized())
    sends: dict[str, Callable[[], Awaitable[Charge]]] = {
        "confirm": lambda: stripe.gateway.charge(request),
        "capture": lambda: stripe.gateway.capture(request),
        "cancel": lambda: stripe.gateway.void_charge(request.identity),
    }
    return request, sends[operation]


async def test_a_forgotten_key_charges_no_second_time(stripe: StripeDouble) -> None:
    request = await stripe.captured()
    await stripe.post("/keys/forget")

    assert (await stripe.gateway.charge(request)).state is ChargeState.CAPTURED
    assert (await stripe.gateway.capture(request)).state is ChargeState.CAPTURED
    assert await stripe.ledger() == ["charge.captured"]


async def test_a_charge_that_another_request_changes_is_unknown(stripe: StripeDouble) -> None:
    request = await stripe.opened()
    await stripe.put("/settings", latencyMs=200)
    slow = asyncio.create_task(stripe.gateway.charge(request))
    await stripe.is_locked(request)

    assert await code_of(stripe.gateway.charge(request)) is UNAVAILABLE
    assert await code_of(stripe.gateway.void_charge(request.identity)) is UNAVAILABLE
    assert (await slow).state is ChargeState.AUTHORIZED


async def test_a_revoked_key_fails_no_payment(
    stripe: StripeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    request = await stripe.opened()
    await stripe.put("/limits", isKeyRevoked=True, requestsPerSecond=0)

    assert await code_of(stripe.gateway.charge(request)) is UNAVAILABLE
    assert await code_of(stripe.gateway.open(a_charge())) is UNAVAILABLE
    assert "refuses our API key" in caplog.text
    assert "sk_test" not in caplog.text
    await stripe.put("/limits", requestsPerSecond=0)
    assert (await stripe.gateway.charge(request)).state is ChargeState.AUTHORIZED


async def test_a_permission_that_the_key_lacks_is_named(
    stripe: StripeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    request = await stripe.authorized()
    await stripe.put("/limits", forbidden=["/v1/payment_intents/"], requestsPerSecond=0)

    assert await code_of(stripe.gateway.find_charge(request.identity)) is UNAVAILABLE

    assert "may not GET /v1/payment_intents/{id} (HTTP 403)" in caplog.text


async def test_too_many_requests_fail_no_payment(stripe: StripeDouble) -> None:
    request = await stripe.authorized()
    await stripe.put("/limits", requestsPerSecond=1)

    async def find() -> None:
        while True:
            await stripe.gateway.find_charge(request.identity)

    assert await code_of(find()) is UNAVAILABLE
