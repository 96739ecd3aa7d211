"""While a success cannot be recorded, the order and its reservation are verified again."""

from datetime import timedelta

import pytest

from domain.errors import ErrorCode
from domain.names import TOPIC_FAILED, workflow_id
from domain.payment import PaymentStatus
from tests.support.builders import a_reservation, an_order
from tests.support.changes import then
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import SagaHarness

MINUTES = timedelta(minutes=5)


async def test_a_success_is_recorded_once_postgresql_is_back(harness: SagaHarness) -> None:
    harness.world.before["record_succeeded"] = harness.world.down_for("record_succeeded", MINUTES)

    payment = await harness.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_books_agree(harness.world, payment)


@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_an_order_that_is_gone_before_the_success_is_recorded_is_refunded(
    harness: SagaHarness, state: str
) -> None:
    outage = harness.world.down_for("record_succeeded", MINUTES)
    instruction = harness.an_instruction()

    def change() -> None:
        harness.world.orders[instruction.order_id] = an_order(instruction, state=state)

    harness.world.before["record_succeeded"] = then(outage, change)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert harness.world.events == []
    assert_books_agree(harness.world, payment)


async def test_a_hold_that_lapses_before_the_success_is_recorded_is_refunded(
    harness: SagaHarness,
) -> None:
    instruction = harness.an_instruction()
    held = a_reservation(instruction, expires_at=harness.started_at + timedelta(minutes=2))
    harness.world.reservations[held.id] = held
    harness.world.before["record_succeeded"] = harness.world.down_for("record_succeeded", MINUTES)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert harness.world.topics == [TOPIC_FAILED]
    assert_books_agree(harness.world, payment)


async def test_a_cancellation_does_not_wait_for_postgresql(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()

    async def cancel_and_fail() -> None:
        await harness.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()
        await harness.world.down("record_succeeded")()

    harness.world.before["record_succeeded"] = cancel_and_fail

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert_books_agree(harness.world, payment)
