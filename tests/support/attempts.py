"""Payments at a gateway that opens, and the attempts that it has of them."""

from typing import Any

from domain.gateway import Charge, ChargeState
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from tests.support.fakes.opening_gateway import Attempt
from tests.support.fakes.world import World
from tests.support.saga_harness import SagaHarness

TOKEN = "pm_card_visa"


def by_token(harness: SagaHarness, **changes: Any) -> PaymentInstruction:
    return harness.an_instruction(gateway=GatewayName.STRIPE, token=TOKEN, **changes)


def attempt_of(instruction: PaymentInstruction, state: ChargeState, reference: str) -> Attempt:
    request = instruction.charge_request
    return Attempt(request, Charge(key=request.key, state=state, reference=reference))


def states(world: World) -> list[ChargeState]:
    return [each.charge.state for each in world.attempts.values()]
