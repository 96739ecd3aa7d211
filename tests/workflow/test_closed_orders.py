"""Whether an order may be paid again depends on whether its failure was published."""

from uuid import uuid4

import pytest

from domain.errors import ErrorCode
from domain.names import TOPIC_FAILED
from domain.payment import Announcement, Payment, PaymentStatus
from tests.support.builders import DECLINED, HOUR
from tests.support.saga_harness import SagaHarness


async def test_an_order_with_an_unpublished_failure_can_be_paid(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    harness.world.before["fetch_order"] = harness.world.down_for("fetch_order", HOUR)
    first = await harness.pay(instruction)
    assert first.error_code is ErrorCode.ORDERING_UNAVAILABLE
    harness.world.before.clear()

    second = await harness.pay(instruction.model_copy(update={"payment_id": uuid4()}))

    assert second.status is PaymentStatus.SUCCEEDED
    assert len(harness.world.captures) == 1


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_a_published_failure_closes_the_order(
    harness: SagaHarness, announcement: Announcement
) -> None:
    instruction = harness.an_instruction()
    failed = Payment.pending(instruction).failed(DECLINED, harness.started_at, announcement)
    harness.world.payments[failed.id] = failed

    again = await harness.pay(instruction.model_copy(update={"payment_id": uuid4()}))

    assert again.error_code is ErrorCode.ORDER_NOT_PENDING
    assert again.announcement is Announcement.NONE
    assert {"charge", "refund", TOPIC_FAILED}.isdisjoint(harness.world.calls)


async def test_a_closed_order_is_shown_to_nobody_else(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    failed = Payment.pending(instruction).failed(DECLINED, harness.started_at, Announcement.MADE)
    harness.world.payments[failed.id] = failed

    changes = {"payment_id": uuid4(), "customer_id": uuid4()}
    stranger = await harness.pay(instruction.model_copy(update=changes))

    assert stranger.error_code is ErrorCode.CUSTOMER_MISMATCH


async def test_the_failed_payments_own_run_ends_as_it_is_recorded(harness: SagaHarness) -> None:
    instruction = harness.an_instruction()
    failed = Payment.pending(instruction).failed(DECLINED, harness.started_at, Announcement.DUE)
    harness.world.payments[failed.id] = failed

    assert await harness.pay(instruction) == failed.announced()

    assert harness.world.topics == [TOPIC_FAILED]
