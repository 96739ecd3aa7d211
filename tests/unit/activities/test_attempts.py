"""The steps of an attempt at a gateway that opens. Each is safe to repeat."""

import dataclasses

import pytest
from temporalio.testing import ActivityEnvironment

from activities.charges import ChargeActivities
from activities.gateways import Gateways
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest
from domain.gateways import GatewayName
from domain.names import refund_key
from domain.payment import Payment
from tests.support.builders import an_instruction
from tests.support.fakes.opening_gateway import FakeOpeningGateway
from tests.support.fakes.start_inputs import FakeStartInputs
from tests.support.fakes.world import World

PAYMENT = an_instruction(gateway=GatewayName.STRIPE, token="pm_card_visa")


@pytest.fixture
def world() -> World:
    world = World()
    world.tokens[PAYMENT.payment_id] = "pm_card_visa"
    return world


def charging(world: World) -> ChargeActivities:
    gateways = Gateways({GatewayName.STRIPE: FakeOpeningGateway(world)})
    return ChargeActivities(gateways, FakeStartInputs(world))


async def opened(world: World) -> ChargeRequest:
    """The request of a payment whose attempt is open and recorded."""
    reference = await ActivityEnvironment().run(charging(world).open_charge, PAYMENT.charge_request)
    world.payments[PAYMENT.payment_id] = Payment.pending(PAYMENT).referring(reference)
    return PAYMENT.charge_request.model_copy(update={"reference": reference})


def second_try() -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=2)
    return environment


async def test_an_attempt_is_authorized_with_the_token_and_then_captured(world: World) -> None:
    request = await opened(world)

    authorized = await ActivityEnvironment().run(charging(world).authorize_charge, request)
    assert (authorized.state, world.captures) == (ChargeState.AUTHORIZED, [])

    captured = await ActivityEnvironment().run(charging(world).capture_charge, request)
    assert captured.state is ChargeState.CAPTURED
    assert world.calls == ["open_charge", "token_of", "authorize", "capture"]
    assert world.broken == []


async def test_a_later_try_sends_only_what_no_earlier_one_has_done(world: World) -> None:
    request = await opened(world)
    charges = charging(world)

    assert (await second_try().run(charges.authorize_charge, request)).tries == 2
    assert world.calls[-2:] == ["find_charge", "authorize"]
    await second_try().run(charges.authorize_charge, request)
    assert world.calls[-2:] == ["token_of", "find_charge"]
    await second_try().run(charges.capture_charge, request)
    assert world.calls[-2:] == ["find_charge", "capture"]
    await second_try().run(charges.capture_charge, request)
    assert world.calls[-2:] == ["capture", "find_charge"]
    assert len(world.captures) == 1


async def test_a_decline_that_is_found_is_not_charged_again(world: World) -> None:
    request = await opened(world)
    world.decline = Charge(key="", state=ChargeState.DECLINED)
    await ActivityEnvironment().run(charging(world).authorize_charge, request)
    world.decline = None
    world.forgotten_keys.add(request.key)

    found = await second_try().run(charging(world).authorize_charge, request)

    assert found.state is ChargeState.DECLINED


async def test_an_attempt_without_a_reference_is_no_attempt(world: World) -> None:
    class Odd(FakeOpeningGateway):
        async def open(self, request: ChargeRequest) -> Charge:
            return Charge(key=request.key, state=ChargeState.OPEN)

    charges = ChargeActivities(Gateways({GatewayName.STRIPE: Odd(world)}), FakeStartInputs(world))

    with pytest.raises(PaymentError) as caught:
        await ActivityEnvironment().run(charges.open_charge, PAYMENT.charge_request)
    assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE


@pytest.mark.parametrize("is_captured", [True, False])
async def test_a_compensation_voids_or_refunds(world: World, is_captured: bool) -> None:
    request = await opened(world)
    await ActivityEnvironment().run(charging(world).authorize_charge, request)
    if is_captured:
        await ActivityEnvironment().run(charging(world).capture_charge, request)
    refund = RefundRequest(
        key=refund_key(PAYMENT.payment_id),
        charge_key=request.key,
        amount=request.amount,
        gateway=GatewayName.STRIPE,
        reference=request.reference,
    )

    for _ in range(2):
        ended = await ActivityEnvironment().run(charging(world).refund_charge, refund)
        assert ended.state is (ChargeState.REFUNDED if is_captured else ChargeState.VOIDED)

    assert world.net_minor_units == 0
