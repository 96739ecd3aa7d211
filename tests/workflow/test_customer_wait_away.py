"""The gateway does not respond while a payment waits for its customer."""

from datetime import timedelta

from domain.errors import ErrorCode
from domain.gateway import ChargeState
from tests.support.attempts import states
from tests.support.builders import HOUR
from tests.support.customers import pay, the_attempt, waiting
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import server_time
from tests.workflow.test_cancellation import cancel


async def test_a_gateway_that_is_away_only_delays_the_end(
    harness: SagaHarness, *, hosted: bool
) -> None:
    world = harness.world
    world.before["find_charge"] = world.down_for("find_charge", 3 * HOUR)

    payment = await pay(harness, waiting(harness, hosted=hosted, reserved=False))

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert states(world) == [ChargeState.VOIDED]


async def test_who_confirms_while_the_gateway_is_away_after_the_end_pays_nothing(
    harness: SagaHarness, *, hosted: bool
) -> None:
    world = harness.world
    instruction = waiting(harness, hosted=hosted, reserved=False)
    fail = world.down("find_charge")

    async def look() -> None:
        wait = world.payments[instruction.payment_id].wait
        assert wait is not None
        left = wait.until - await server_time(harness.client)
        if left < -timedelta(minutes=1):
            the_attempt(harness).customer_confirms()
        elif left < timedelta(minutes=1):
            await fail()

    world.before["find_charge"] = look

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.wait is not None
    assert payment.processed_at is not None
    assert payment.processed_at - payment.wait.until < timedelta(minutes=1)
    assert states(world) == [ChargeState.VOIDED]


async def test_a_cancellation_does_not_wait_until_the_gateway_is_back(
    harness: SagaHarness, *, hosted: bool
) -> None:
    world = harness.world
    request = cancel(harness)
    fail = world.down("find_charge")

    async def look() -> None:
        await request()
        await fail()

    world.before["find_charge"] = look

    payment = await pay(harness, waiting(harness, hosted=hosted, reserved=False))

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert payment.processed_at is not None
    assert payment.processed_at - harness.started_at < timedelta(minutes=2)
