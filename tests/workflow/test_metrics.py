"""How payments and refunds end is counted, and what comes of each try of a step."""

import pytest

from domain.errors import ErrorCode
from domain.metrics import PAYMENT_DURATION, PAYMENTS_ENDED, REFUNDS_ENDED, STEP_TRIES
from tests.support.attempts import by_token
from tests.support.fakes.world import refusal
from tests.support.metered import Metered
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import own_server
from tests.workflow.test_refund import asked, make
from tests.workflow.test_refund_at_gateway import ended, watch_of
from workflows.policies import STEPS

temporal = own_server


@pytest.fixture
def metered() -> Metered:
    return Metered()


async def test_a_payment_is_counted_once_although_its_workflow_is_replayed(
    idle_harness: SagaHarness, metered: Metered
) -> None:
    async with idle_harness.worker(meter=metered.meter, max_cached_workflows=0):
        handle = await idle_harness.start(idle_harness.an_instruction())
        await handle.result()
        await handle.query("__stack_trace")  # for which all of its history is replayed

    assert metered.counted(PAYMENTS_ENDED) == {("succeeded", "none"): 1}
    [[seconds]] = metered.seconds(PAYMENT_DURATION).values()
    assert seconds > 0
    assert metered.counted(REFUNDS_ENDED) == {}


async def test_a_declined_payment_is_counted_by_its_code(
    idle_harness: SagaHarness, metered: Metered
) -> None:
    idle_harness.world.before["charge"] = refusal(ErrorCode.CARD_DECLINED)
    async with idle_harness.worker(meter=metered.meter):
        await idle_harness.pay()

    assert metered.counted(PAYMENTS_ENDED) == {("failed", "CARD_DECLINED"): 1}
    assert metered.seconds(PAYMENT_DURATION).keys() == {("failed",)}
    assert metered.counted(STEP_TRIES)[("charge", "refused")] == 1


async def test_each_try_of_a_step_is_counted(idle_harness: SagaHarness, metered: Metered) -> None:
    world = idle_harness.world
    world.before["charge"] = world.times(2, refusal(ErrorCode.GATEWAY_UNAVAILABLE))
    async with idle_harness.worker(meter=metered.meter):
        await idle_harness.pay()

    tries = metered.counted(STEP_TRIES)
    assert (tries[("charge", "failed")], tries[("charge", "succeeded")]) == (2, 1)
    assert tries[("record_pending", "succeeded")] == 1


async def test_a_bug_in_a_step_counts_as_a_failed_try(
    idle_harness: SagaHarness, metered: Metered
) -> None:
    async def bug() -> None:
        raise ValueError

    world = idle_harness.world
    world.before["charge"] = world.times(1, bug)
    async with idle_harness.worker(meter=metered.meter):
        await idle_harness.pay()

    assert metered.counted(STEP_TRIES)[("charge", "failed")] == 1


async def test_a_refund_is_counted_once_although_it_is_watched(
    idle_harness: SagaHarness, metered: Metered
) -> None:
    async with idle_harness.worker(meter=metered.meter):
        payment = await idle_harness.pay(by_token(idle_harness))
        refund = await make(idle_harness, asked(idle_harness, payment))
        await ended(idle_harness, watch_of(idle_harness, refund))

    assert metered.counted(REFUNDS_ENDED) == {("succeeded", "none"): 1}


async def test_the_series_of_all_codes_and_steps_begin_with_0(
    idle_harness: SagaHarness, metered: Metered
) -> None:
    async with idle_harness.worker(meter=metered.meter):
        pass

    codes = {("succeeded", "none"), *(("failed", str(code)) for code in (*ErrorCode, "other"))}
    assert metered.series(PAYMENTS_ENDED) == metered.series(REFUNDS_ENDED) == codes
    results = ("succeeded", "failed", "refused")
    assert metered.series(STEP_TRIES) == {
        (step.__name__, result) for step in STEPS for result in results
    }
    assert metered.counted(STEP_TRIES) == {}
