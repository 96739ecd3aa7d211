"""The activities that move money, without the workflow around them."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities import charges
from activities.charges import ChargeActivities
from activities.gateways import Gateways
from domain import names
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest
from domain.gateways import GatewayName
from tests.support.builders import an_instruction
from tests.support.fakes.gateway import FakeGateway
from tests.support.fakes.start_inputs import FakeStartInputs
from tests.support.fakes.world import World

INSTRUCTION = an_instruction()
KEY = names.charge_key(INSTRUCTION.payment_id)
CHARGE = ChargeRequest(
    key=KEY,
    payment_id=INSTRUCTION.payment_id,
    order_id=INSTRUCTION.order_id,
    amount=INSTRUCTION.amount,
    payment_method=INSTRUCTION.payment_method,
)
REFUND = RefundRequest(
    key=names.refund_key(INSTRUCTION.payment_id), charge_key=KEY, amount=INSTRUCTION.amount
)


@pytest.fixture
def world() -> World:
    return World()


def charging(world: World) -> ChargeActivities:
    gateways = Gateways({GatewayName.SIMULATOR: FakeGateway(world)})
    return ChargeActivities(gateways, FakeStartInputs(world))


async def test_the_first_try_charges_without_a_look_up(world: World) -> None:
    await ActivityEnvironment().run(charging(world).charge, CHARGE)

    assert world.calls == ["charge"]


async def test_a_charge_under_way_shows_that_its_worker_lives(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charges, "HEARTBEAT_INTERVAL", timedelta(milliseconds=1))
    environment, beaten = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *_: beaten.set()

    async def wait_for_a_beat() -> None:
        await asyncio.wait_for(beaten.wait(), timeout=30)

    world.before["charge"] = wait_for_a_beat

    await environment.run(charging(world).charge, CHARGE)


async def test_later_try_repeats_the_charge_it_finds(world: World) -> None:
    first = await FakeGateway(world).charge(CHARGE)
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=2)

    again = await environment.run(charging(world).charge, CHARGE)

    assert again == first.model_copy(update={"tries": 2})
    assert world.calls == ["charge", "find_charge"]


async def test_charge_that_cannot_be_looked_up_is_sent_again(world: World) -> None:
    """That is safe, because the key names one charge."""
    environment = ActivityEnvironment()
    first = await environment.run(charging(world).charge, CHARGE)
    environment.info = dataclasses.replace(environment.info, attempt=2)
    world.before["find_charge"] = world.down("find_charge")

    again = await environment.run(charging(world).charge, CHARGE)

    assert again == first.model_copy(update={"tries": 2})
    assert world.captures == [CHARGE]


async def test_an_unfinished_payment_of_version_0_1_0_names_only_its_key(world: World) -> None:
    activities = charging(world)
    await ActivityEnvironment().run(activities.charge, CHARGE)

    charge = await ActivityEnvironment().run(activities.resolve_charge, CHARGE.key)

    assert charge.state is ChargeState.CAPTURED


@pytest.mark.parametrize("state", [ChargeState.DECLINED, ChargeState.VOIDED, ChargeState.REFUNDED])
async def test_only_captured_money_is_refunded(world: World, state: ChargeState) -> None:
    world.charges[KEY] = Charge(key=KEY, state=state)

    charge = await ActivityEnvironment().run(charging(world).refund_charge, REFUND)

    assert charge.state is state
    assert world.refunds == []


async def test_refund_of_an_unknown_charge_makes_it_impossible(world: World) -> None:
    activities = charging(world)

    await ActivityEnvironment().run(activities.refund_charge, REFUND)

    assert (await ActivityEnvironment().run(activities.charge, CHARGE)).state is ChargeState.VOIDED
    assert world.captures == []


async def test_captured_charge_is_refunded(world: World) -> None:
    activities = charging(world)
    await ActivityEnvironment().run(activities.charge, CHARGE)

    charge = await ActivityEnvironment().run(activities.refund_charge, REFUND)

    assert charge.state is ChargeState.REFUNDED
    assert world.net_minor_units == 0
