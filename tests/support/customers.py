"""Payments that wait for their customer, and what the customer does."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from domain.customer_action import CustomerAction
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from tests.support.attempts import TOKEN
from tests.support.fakes.opening_gateway import Attempt
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import SagaHarness

WAIT = timedelta(minutes=10)
RETURN_URL = "https://shop.example/payment"


def waiting(harness: SagaHarness, *, hosted: bool, **changes: Any) -> PaymentInstruction:
    """The instruction for a payment whose customer must act: at the bank, or on the hosted page."""
    harness.world.bank_asks = True
    seconds = int(WAIT.total_seconds())
    action = CustomerAction(return_url=RETURN_URL, wait_seconds=seconds, hosted=hosted)
    token = None if hosted else TOKEN
    return harness.an_instruction(
        gateway=GatewayName.STRIPE, token=token, customer_action=action, **changes
    )


def the_attempt(harness: SagaHarness) -> Attempt:
    (attempt,) = harness.world.attempts.values()
    return attempt


def at_look(
    harness: SagaHarness, number: int, act: Callable[[Attempt], None]
) -> Callable[[], Awaitable[None]]:
    """For `World.before["find_charge"]`: the customer acts just before this look."""
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == number:
            act(the_attempt(harness))

    return look


async def pay(harness: SagaHarness, instruction: PaymentInstruction) -> Payment:
    payment = await harness.pay(instruction)
    assert_books_agree(harness.world, payment)
    return payment
