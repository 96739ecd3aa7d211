"""A requested refund is made once, and never exceeds the capture, whatever fails."""

import asyncio

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from audit.invariants import violations
from domain.errors import ErrorCode, PaymentError
from domain.gateway import RefundRequest
from domain.names import TOPIC_REFUNDED, refund_workflow_id
from domain.payment import Payment
from domain.refund import Refund, RefundStatus
from tests.support.builders import HOUR
from tests.support.fakes.world import refusal
from tests.support.invariants import books_of
from tests.support.saga_harness import SagaHarness, attention_flags
from workflows.refund import RefundWorkflow
from workflows.start import start_refund

STEPS = [
    "record_refund",
    "find_refund",
    "refund",
    "record_refund_ended",
    TOPIC_REFUNDED,
    "record_refund_announced",
]


async def start(harness: SagaHarness, refund: Refund) -> WorkflowHandle[RefundWorkflow, Refund]:
    return await start_refund(harness.client, refund, WorkflowIDConflictPolicy.USE_EXISTING)


async def paid(harness: SagaHarness) -> Payment:
    payment = await harness.pay()
    harness.world.calls.clear()
    return payment


def asked(
    harness: SagaHarness, payment: Payment, amount: str = "50.00", key: str = "key"
) -> Refund:
    return Refund.pending(payment, payment.amount.parse_same(amount), key, harness.started_at)


async def make(harness: SagaHarness, refund: Refund) -> Refund:
    return await (await start(harness, refund)).result()


def assert_given_back(harness: SagaHarness, refund: Refund) -> None:
    assert refund.status is RefundStatus.SUCCEEDED
    assert harness.world.requested_refunds[refund.id] == refund
    assert [each.amount for each in harness.world.refunds] == [refund.amount]
    assert_books_agree(harness, refund)


def assert_nothing_given_back(harness: SagaHarness, refund: Refund, code: ErrorCode) -> None:
    assert (refund.status, refund.error_code) == (RefundStatus.FAILED, code)
    assert harness.world.refunds == []
    assert_books_agree(harness, refund)


def assert_books_agree(harness: SagaHarness, refund: Refund) -> None:
    assert violations(books_of(harness.world, refund.order_id)) == []


async def test_a_refund_is_made_recorded_and_published(harness: SagaHarness) -> None:
    refund = await make(harness, asked(harness, await paid(harness)))

    assert harness.world.calls == STEPS
    assert_given_back(harness, refund)


@pytest.mark.parametrize("step", STEPS)
async def test_refund_outlasts_an_outage_of_hours(harness: SagaHarness, step: str) -> None:
    refund = asked(harness, await paid(harness))
    harness.world.before[step] = harness.world.down_for(step, 6 * HOUR)

    assert_given_back(harness, await make(harness, refund))


@pytest.mark.parametrize("step", STEPS)
async def test_a_refund_whose_response_is_lost_is_made_once(
    harness: SagaHarness, step: str
) -> None:
    refund = asked(harness, await paid(harness))
    harness.world.after[step] = harness.world.times(1, harness.world.down(step))

    assert_given_back(harness, await make(harness, refund))


async def test_refund_is_looked_up_before_it_is_sent_again(harness: SagaHarness) -> None:
    """A gateway forgets the key of a refund after some time."""
    refund = asked(harness, await paid(harness))
    harness.world.after["refund"] = harness.world.times(1, harness.world.down("refund"))

    await make(harness, refund)

    assert harness.world.calls.count("refund") == 1


async def test_a_refund_of_more_than_is_left_is_refused(harness: SagaHarness) -> None:
    payment = await paid(harness)
    first = await make(harness, asked(harness, payment, "100.00", "first"))
    harness.world.calls.clear()

    second = await make(harness, asked(harness, payment, "50.01", "second"))

    assert second.error_code is ErrorCode.REFUND_TOO_LARGE
    assert harness.world.calls == ["record_refund"]
    assert_given_back(harness, first)


async def test_refund_that_the_gateway_refuses_frees_its_amount(harness: SagaHarness) -> None:
    payment = await paid(harness)
    harness.world.before["refund"] = refusal(ErrorCode.REFUND_REFUSED)
    refused = await make(harness, asked(harness, payment, "150.00", "first"))
    assert_nothing_given_back(harness, refused, ErrorCode.REFUND_REFUSED)
    harness.world.before.clear()

    refund = await make(harness, asked(harness, payment, "150.00", "second"))

    assert_given_back(harness, refund)


async def test_refused_refund_stays_refused(harness: SagaHarness) -> None:
    refund = asked(harness, await paid(harness))
    harness.world.before["refund"] = refusal(ErrorCode.REFUND_REFUSED)
    first = await make(harness, refund)
    harness.world.before.clear()

    assert await make(harness, refund) == first
    assert_nothing_given_back(harness, first, ErrorCode.REFUND_REFUSED)


async def test_a_refund_that_is_requested_twice_is_made_once(harness: SagaHarness) -> None:
    refund = asked(harness, await paid(harness))
    both_started = asyncio.Event()

    async def wait() -> None:
        await both_started.wait()

    harness.world.before["record_refund"] = wait
    first, second = await asyncio.gather(start(harness, refund), start(harness, refund))
    both_started.set()
    made = await first.result()

    assert first.result_run_id == second.result_run_id
    assert await make(harness, refund) == made
    assert_given_back(harness, made)


async def test_event_that_kafka_refuses_undoes_nothing(harness: SagaHarness) -> None:
    refund = asked(harness, await paid(harness))
    harness.world.before[TOPIC_REFUNDED] = harness.world.times(50, refusal(ErrorCode.EVENT_REFUSED))
    handle = await start(harness, refund)

    made = await handle.result()

    assert attention_flags(await handle.fetch_history()) == [True, False]
    assert_given_back(harness, made)


@pytest.mark.parametrize("step", STEPS)
async def test_cancellation_stops_no_refund(harness: SagaHarness, step: str) -> None:
    refund = asked(harness, await paid(harness))
    running = harness.client.get_workflow_handle(refund_workflow_id(refund.id))
    harness.world.before[step] = running.cancel

    assert_given_back(harness, await make(harness, refund))


def losing(harness: SagaHarness, refund: Refund) -> list[RefundRequest]:
    """The first request gets no response but may be carried out. Every later one is refused."""
    on_its_way: list[RefundRequest] = []

    async def lose_and_refuse() -> None:
        if on_its_way:
            raise PaymentError(ErrorCode.REFUND_REFUSED, "Refused.")
        on_its_way.append(refund.request)
        raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "No response in time.")

    harness.world.before["refund"] = lose_and_refuse
    return on_its_way


async def test_a_refusal_after_a_lost_response_ends_no_refund(harness: SagaHarness) -> None:
    """The first request may still be carried out."""
    refund = asked(harness, await paid(harness), "150.00")
    on_its_way = losing(harness, refund)

    async def arrive() -> None:
        harness.world.refunds.extend(on_its_way)

    harness.world.before["can_still_refund"] = harness.world.times(1, arrive)

    assert_given_back(harness, await make(harness, refund))


async def test_refusal_in_a_later_round_ends_no_refund(harness: SagaHarness) -> None:
    refund = asked(harness, await paid(harness))
    harness.world.before["find_refund"] = harness.world.times(1, refusal(ErrorCode.PROCESSOR_ERROR))
    harness.world.before["refund"] = harness.world.times(3, refusal(ErrorCode.REFUND_REFUSED))

    assert_given_back(harness, await make(harness, refund))


@pytest.mark.parametrize("recorded_before", [True, False])
async def test_a_resumed_refund_is_ended_by_no_refusal(
    harness: SagaHarness, recorded_before: bool
) -> None:
    refund = asked(harness, await paid(harness))
    earlier = refund.model_copy(update={"created_at": refund.created_at - HOUR})
    as_recorded = earlier.model_copy(update={"is_unsent": False})
    harness.world.requested_refunds[refund.id] = as_recorded
    harness.world.before["refund"] = harness.world.times(3, refusal(ErrorCode.REFUND_REFUSED))

    made = await make(harness, as_recorded if recorded_before else refund)

    assert_given_back(harness, made)


async def test_a_refusal_after_a_lost_response_counts_when_nothing_is_left(
    harness: SagaHarness,
) -> None:
    """The amount that is left never grows, so the first request cannot be carried out either."""
    payment = await paid(harness)
    refund = asked(harness, payment, "50.00")
    losing(harness, refund)
    elsewhere = RefundRequest(
        key="by hand", charge_key=refund.request.charge_key, amount=payment.amount
    )
    harness.world.refunds.append(elsewhere)

    ended = await make(harness, refund)

    assert (ended.status, ended.error_code) == (RefundStatus.FAILED, ErrorCode.REFUND_REFUSED)
    assert harness.world.refunds == [elsewhere]
