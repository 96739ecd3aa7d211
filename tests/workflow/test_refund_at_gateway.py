"""A refund at a gateway that opens: it may be pending for days, and fail even after that."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowHandle

from audit.invariants import violations
from domain.errors import ErrorCode
from domain.gateway import RefundState
from domain.names import SIGNAL_LOOK_AGAIN, TOPIC_REFUNDED, TOPIC_SUCCEEDED, refund_watch_id
from domain.refund import Refund, RefundStatus
from tests.support.attempts import by_token
from tests.support.fakes.world import Fault, World
from tests.support.invariants import books_of
from tests.support.saga_harness import SagaHarness, attention_flags
from tests.support.time_skipping import own_server, skipping_time
from tests.support.waiting import eventually
from tests.workflow.test_customer_wait import has_called
from tests.workflow.test_refund import STEPS, asked, make, start
from workflows import refund as refund_workflow
from workflows.pauses import Pauses
from workflows.refund_watch import RefundWatch

DAY = timedelta(days=1)


temporal = own_server


async def a_refund(harness: SagaHarness, state: RefundState = RefundState.SUCCEEDED) -> Refund:
    """A requested refund of a payment that has succeeded. It gets this state at the gateway."""
    payment = await harness.pay(by_token(harness))
    harness.world.calls.clear()
    harness.world.next_refund = state
    return asked(harness, payment)


def settles(world: World, refund: Refund, state: RefundState, after: int) -> Fault:
    """The refund gets this state before the look with the number `after`."""
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == after:
            world.settle_refund(refund.request.key, state)

    return look


def watch_of(harness: SagaHarness, refund: Refund) -> WorkflowHandle[RefundWatch, Refund]:
    handle: WorkflowHandle[RefundWatch, Refund] = harness.client.get_workflow_handle_for(
        RefundWatch.run, refund_watch_id(refund.id)
    )
    return handle


async def ended(harness: SagaHarness, watch: WorkflowHandle[RefundWatch, Refund]) -> Refund:
    """The result of the workflow. The server skips time while it runs."""
    async with skipping_time(harness.client):
        return await watch.result()


def assert_books_agree(harness: SagaHarness, refund: Refund) -> None:
    assert harness.world.requested_refunds[refund.id] == refund
    assert violations(books_of(harness.world, refund.order_id)) == []


async def test_a_refund_is_made_with_the_reference_of_its_charge(harness: SagaHarness) -> None:
    refund = await a_refund(harness)

    made = await make(harness, refund)

    assert made.status is RefundStatus.SUCCEEDED
    assert made.gateway_reference == f"re_{refund.request.key}"
    assert [each.reference for each in harness.world.refunds] == list(harness.world.attempts)
    assert_books_agree(harness, made)


async def test_a_pending_refund_is_told_only_when_it_has_succeeded(harness: SagaHarness) -> None:
    """Each look notes whether the row says "pending" and whether the event is published.

    The looks after the event are those of the watch, which may run before the test goes on.
    """
    refund = await a_refund(harness, RefundState.PENDING)
    seen: list[tuple[bool, bool]] = []
    settle = settles(harness.world, refund, RefundState.SUCCEEDED, after=4)

    async def look() -> None:
        await settle()
        is_pending = harness.world.requested_refunds[refund.id].is_pending_at_gateway
        seen.append((is_pending, TOPIC_REFUNDED in harness.world.topics))

    harness.world.before["find_refund"] = look

    made = await make(harness, refund)

    assert seen[:4] == [(False, False), *[(True, False)] * 3]
    assert set(seen[4:]) <= {(False, True)}
    assert made.status is RefundStatus.SUCCEEDED
    assert harness.world.topics == [TOPIC_SUCCEEDED, TOPIC_REFUNDED]
    assert harness.world.calls.count("refund") == 1
    assert_books_agree(harness, made)


async def test_an_event_of_the_gateway_wakes_a_pending_refund(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refund_workflow, "PAUSES", Pauses(30 * DAY, 30 * DAY))
    refund = await a_refund(harness, RefundState.PENDING)
    handle = await start(harness, refund)
    await eventually("it is pending", lambda: has_called(harness, "record_refund_reference"))
    harness.world.settle_refund(refund.request.key, RefundState.SUCCEEDED)

    await handle.signal(SIGNAL_LOOK_AGAIN)

    await eventually("it is recorded", lambda: has_called(harness, "record_refund_ended"))
    assert (await handle.result()).status is RefundStatus.SUCCEEDED


async def test_an_event_of_the_gateway_wakes_the_watch(harness: SagaHarness) -> None:
    """The watch also makes its regular looks, however many events there are."""
    refund = await make(harness, await a_refund(harness))
    watch = watch_of(harness, refund)
    harness.world.calls.clear()
    for _ in range(9):
        await watch.signal(SIGNAL_LOOK_AGAIN)
        await eventually("it has looked", lambda: has_called(harness, "find_refund"))
        harness.world.calls.clear()
    harness.world.settle_refund(refund.request.key, RefundState.FAILED)
    harness.world.after["record_refund_failed_later"] = cancelling(harness, refund)

    await ended(harness, watch)

    recorded = harness.world.requested_refunds[refund.id]
    assert recorded.failed_later_at is not None


async def test_a_pending_refund_that_fails_frees_its_amount(harness: SagaHarness) -> None:
    refund = await a_refund(harness, RefundState.PENDING)
    harness.world.before["find_refund"] = settles(
        harness.world, refund, RefundState.FAILED, after=3
    )

    made = await make(harness, refund)

    assert (made.status, made.error_code) == (RefundStatus.FAILED, ErrorCode.REFUND_REFUSED)
    assert TOPIC_REFUNDED not in harness.world.topics
    assert_books_agree(harness, made)


@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.FAILED])
async def test_operators_see_a_refund_that_is_pending_for_more_than_a_week(
    harness: SagaHarness, state: RefundState
) -> None:
    """The flag is set once, and is cleared when the refund has succeeded or failed."""
    refund = await a_refund(harness, RefundState.PENDING)
    harness.world.before["find_refund"] = settles(harness.world, refund, state, after=24 * 8)
    handle = await start(harness, refund)

    await handle.result()

    assert attention_flags(await handle.fetch_history()) == [True, False]


@pytest.mark.parametrize("look", [1, 5])
async def test_operators_see_a_refund_that_fails_after_it_had_succeeded(
    harness: SagaHarness, look: int
) -> None:
    """The refund fails at this look of the watch. RefundWorkflow looks once before."""
    refund = await a_refund(harness)
    harness.world.before["find_refund"] = settles(
        harness.world, refund, RefundState.FAILED, after=1 + look
    )
    harness.world.after["record_refund_failed_later"] = cancelling(harness, refund)
    await make(harness, refund)
    watch = watch_of(harness, refund)

    failed = await ended(harness, watch)

    assert attention_flags(await watch.fetch_history())[-1] is True
    recorded = harness.world.requested_refunds[refund.id]
    assert failed.announced() == recorded
    assert (recorded.status, failed.failed_later_at is None) == (RefundStatus.SUCCEEDED, False)
    books = books_of(harness.world, refund.order_id)
    assert violations(books) == []


def cancelling(harness: SagaHarness, refund: Refund) -> Fault:
    """An operator has paid the customer in another way."""

    async def cancel() -> None:
        await harness.client.get_workflow_handle(refund_watch_id(refund.id)).cancel()

    return cancel


async def test_a_refund_that_stays_made_is_watched_for_a_month(harness: SagaHarness) -> None:
    refund = await make(harness, await a_refund(harness))

    watch = watch_of(harness, refund)

    assert (await ended(harness, watch)).announced() == refund
    assert harness.world.calls == [*STEPS, *["find_refund"] * 5]


async def test_a_refund_of_the_simulator_is_not_watched(harness: SagaHarness) -> None:
    payment = await harness.pay()
    handle = await start(harness, asked(harness, payment))
    await handle.result()

    events = (await handle.fetch_history()).events

    assert not any("child_workflow" in (each.WhichOneof("attributes") or "") for each in events)
