"""A refund that a caller asked for: once, never more than was captured, whatever goes wrong."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from audit.invariants import violations
from domain.errors import ErrorCode, PaymentError
from domain.gateway import RefundRequest
from domain.names import TOPIC_REFUNDED
from domain.payment import Payment
from domain.refund import Refund, RefundStatus
from tests.support.fakes import refusal
from tests.support.invariants import books_of
from tests.workflow.conftest import Desk, attention_flags
from workflows.refund import RefundWorkflow
from workflows.start import start_refund

HOUR = timedelta(hours=1)
STEPS = [
    "record_refund",
    "find_refund",
    "refund",
    "record_refund_ended",
    TOPIC_REFUNDED,
    "record_refund_announced",
]


async def start(desk: Desk, refund: Refund) -> WorkflowHandle[RefundWorkflow, Refund]:
    return await start_refund(desk.client, refund, WorkflowIDConflictPolicy.USE_EXISTING)


async def paid(desk: Desk) -> Payment:
    payment = await desk.pay()
    desk.world.calls.clear()
    return payment


def asked(desk: Desk, payment: Payment, amount: str = "50.00", key: str = "key") -> Refund:
    return Refund.pending(payment, payment.amount.parse_same(amount), key, desk.opened_at)


async def make(desk: Desk, refund: Refund) -> Refund:
    return await (await start(desk, refund)).result()


def assert_given_back(desk: Desk, refund: Refund) -> None:
    assert refund.status is RefundStatus.SUCCEEDED
    assert desk.world.asked_refunds[refund.id] == refund
    assert [each.amount for each in desk.world.refunds] == [refund.amount]
    assert_books_agree(desk, refund)


def assert_nothing_given_back(desk: Desk, refund: Refund, code: ErrorCode) -> None:
    assert (refund.status, refund.error_code) == (RefundStatus.FAILED, code)
    assert desk.world.refunds == []
    assert_books_agree(desk, refund)


def assert_books_agree(desk: Desk, refund: Refund) -> None:
    assert violations(books_of(desk.world, refund.order_id)) == []


async def test_refund_is_given_back_recorded_and_told(desk: Desk) -> None:
    refund = await make(desk, asked(desk, await paid(desk)))

    assert desk.world.calls == STEPS
    assert_given_back(desk, refund)


@pytest.mark.parametrize("step", STEPS)
async def test_refund_outlasts_an_outage_of_hours(desk: Desk, step: str) -> None:
    refund = asked(desk, await paid(desk))
    desk.world.before[step] = desk.world.down_for(step, 6 * HOUR)

    assert_given_back(desk, await make(desk, refund))


@pytest.mark.parametrize("step", STEPS)
async def test_refund_whose_answer_is_lost_is_made_once(desk: Desk, step: str) -> None:
    refund = asked(desk, await paid(desk))
    desk.world.after[step] = desk.world.times(1, desk.world.down(step))

    assert_given_back(desk, await make(desk, refund))


async def test_refund_is_looked_up_before_it_is_sent_again(desk: Desk) -> None:
    """The gateway may have forgotten its key by then."""
    refund = asked(desk, await paid(desk))
    desk.world.after["refund"] = desk.world.times(1, desk.world.down("refund"))

    await make(desk, refund)

    assert desk.world.calls.count("refund") == 1


async def test_refund_of_more_than_is_left_is_none(desk: Desk) -> None:
    payment = await paid(desk)
    first = await make(desk, asked(desk, payment, "100.00", "first"))
    desk.world.calls.clear()

    second = await make(desk, asked(desk, payment, "50.01", "second"))

    assert second.error_code is ErrorCode.REFUND_TOO_LARGE
    assert desk.world.calls == ["record_refund"]
    assert_given_back(desk, first)


async def test_refund_that_the_gateway_refuses_frees_its_amount(desk: Desk) -> None:
    payment = await paid(desk)
    desk.world.before["refund"] = refusal(ErrorCode.REFUND_REFUSED)
    refused = await make(desk, asked(desk, payment, "150.00", "first"))
    assert_nothing_given_back(desk, refused, ErrorCode.REFUND_REFUSED)
    desk.world.before.clear()

    refund = await make(desk, asked(desk, payment, "150.00", "second"))

    assert_given_back(desk, refund)


async def test_refused_refund_stays_refused(desk: Desk) -> None:
    refund = asked(desk, await paid(desk))
    desk.world.before["refund"] = refusal(ErrorCode.REFUND_REFUSED)
    first = await make(desk, refund)
    desk.world.before.clear()

    assert await make(desk, refund) == first
    assert_nothing_given_back(desk, first, ErrorCode.REFUND_REFUSED)


async def test_refund_that_is_asked_for_twice_is_made_once(desk: Desk) -> None:
    refund = asked(desk, await paid(desk))

    first, second = await asyncio.gather(start(desk, refund), start(desk, refund))
    made = await first.result()

    assert first.result_run_id == second.result_run_id
    assert await make(desk, refund) == made
    assert_given_back(desk, made)


async def test_event_that_kafka_refuses_undoes_nothing(desk: Desk) -> None:
    refund = asked(desk, await paid(desk))
    desk.world.before[TOPIC_REFUNDED] = desk.world.times(50, refusal(ErrorCode.EVENT_REFUSED))
    handle = await start(desk, refund)

    made = await handle.result()

    assert attention_flags(await handle.fetch_history()) == [True, False]
    assert_given_back(desk, made)


@pytest.mark.parametrize("step", STEPS)
async def test_cancellation_stops_no_refund(desk: Desk, step: str) -> None:
    refund = asked(desk, await paid(desk))
    handle = await start(desk, refund)
    desk.world.before[step] = handle.cancel

    assert_given_back(desk, await handle.result())


def losing(desk: Desk, refund: Refund) -> list[RefundRequest]:
    """The first request gets no answer, and is on its way; every later one is refused."""
    on_its_way: list[RefundRequest] = []

    async def lose_and_refuse() -> None:
        if on_its_way:
            raise PaymentError(ErrorCode.REFUND_REFUSED, "Refused.")
        on_its_way.append(refund.request)
        raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "No response in time.")

    desk.world.before["refund"] = lose_and_refuse
    return on_its_way


async def test_refusal_after_a_lost_answer_ends_no_refund(desk: Desk) -> None:
    """The first request may still be carried out, and then the second would be a second one."""
    refund = asked(desk, await paid(desk), "150.00")
    on_its_way = losing(desk, refund)
    handle = await start(desk, refund)

    async def arrive() -> None:
        desk.world.refunds.extend(on_its_way)

    desk.world.before["can_still_refund"] = desk.world.times(1, arrive)

    assert_given_back(desk, await handle.result())


async def test_refusal_in_a_later_round_ends_no_refund(desk: Desk) -> None:
    refund = asked(desk, await paid(desk))
    desk.world.before["find_refund"] = desk.world.times(1, refusal(ErrorCode.PROCESSOR_ERROR))
    desk.world.before["refund"] = desk.world.times(3, refusal(ErrorCode.REFUND_REFUSED))

    assert_given_back(desk, await make(desk, refund))


@pytest.mark.parametrize("recorded_before", [True, False])
async def test_refund_that_was_taken_up_again_is_refused_by_no_try(
    desk: Desk, recorded_before: bool
) -> None:
    refund = asked(desk, await paid(desk))
    earlier = refund.model_copy(update={"created_at": refund.created_at - HOUR})
    as_recorded = earlier.model_copy(update={"is_unsent": False})
    desk.world.asked_refunds[refund.id] = as_recorded
    desk.world.before["refund"] = desk.world.times(3, refusal(ErrorCode.REFUND_REFUSED))

    made = await make(desk, as_recorded if recorded_before else refund)

    assert_given_back(desk, made)


async def test_refusal_after_a_lost_answer_counts_when_nothing_is_left(desk: Desk) -> None:
    """What is left never grows: then the first request cannot be carried out either."""
    payment = await paid(desk)
    refund = asked(desk, payment, "50.00")
    losing(desk, refund)
    elsewhere = RefundRequest(
        key="by hand", charge_key=refund.request.charge_key, amount=payment.amount
    )
    desk.world.refunds.append(elsewhere)

    ended = await make(desk, refund)

    assert (ended.status, ended.error_code) == (RefundStatus.FAILED, ErrorCode.REFUND_REFUSED)
    assert desk.world.refunds == [elsewhere]
