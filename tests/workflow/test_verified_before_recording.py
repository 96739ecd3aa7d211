"""While a success cannot be recorded, the order and its reservation are verified again."""

from datetime import timedelta

import pytest

from domain.errors import ErrorCode
from domain.names import TOPIC_FAILED, workflow_id
from domain.payment import PaymentStatus
from tests.support.builders import a_reservation, an_order
from tests.support.changes import then
from tests.support.invariants import assert_everybody_agrees
from tests.workflow.conftest import Desk

MINUTES = timedelta(minutes=5)


async def test_a_success_is_recorded_once_postgresql_is_back(desk: Desk) -> None:
    desk.world.before["record_succeeded"] = desk.world.down_for("record_succeeded", MINUTES)

    payment = await desk.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_everybody_agrees(desk.world, payment)


@pytest.mark.parametrize("state", ["cancelled", "paid"])
async def test_an_order_that_is_gone_before_the_success_is_recorded_is_refunded(
    desk: Desk, state: str
) -> None:
    outage = desk.world.down_for("record_succeeded", MINUTES)
    instruction = desk.an_instruction()

    def change() -> None:
        desk.world.orders[instruction.order_id] = an_order(instruction, state=state)

    desk.world.before["record_succeeded"] = then(outage, change)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert desk.world.events == []
    assert_everybody_agrees(desk.world, payment)


async def test_a_hold_that_lapses_before_the_success_is_recorded_is_refunded(desk: Desk) -> None:
    instruction = desk.an_instruction()
    held = a_reservation(instruction, expires_at=desk.opened_at + timedelta(minutes=2))
    desk.world.reservations[held.id] = held
    desk.world.before["record_succeeded"] = desk.world.down_for("record_succeeded", MINUTES)

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.RESERVATION_NOT_ACTIVE
    assert desk.world.topics == [TOPIC_FAILED]
    assert_everybody_agrees(desk.world, payment)


async def test_a_cancellation_does_not_wait_for_postgresql(desk: Desk) -> None:
    instruction = desk.an_instruction()

    async def cancel_and_fail() -> None:
        await desk.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()
        await desk.world.down("record_succeeded")()

    desk.world.before["record_succeeded"] = cancel_and_fail

    payment = await desk.pay(instruction)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert_everybody_agrees(desk.world, payment)
