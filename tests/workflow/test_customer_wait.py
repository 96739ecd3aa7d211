"""A payment that waits for its customer: the bank asks, or the card is given on a hosted page."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowHandle

from domain import names
from domain.customer_action import Wait
from domain.errors import ErrorCode, PaymentError
from domain.gateway import ChargeState
from domain.names import TOPIC_FAILED
from domain.payment import Payment, PaymentStatus
from tests.support.attempts import states
from tests.support.builders import HOUR, a_reservation, an_order
from tests.support.changes import then
from tests.support.customers import WAIT, at_look, pay, the_attempt, waiting
from tests.support.fakes.opening_gateway import Attempt
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import server_time
from tests.support.waiting import eventually
from tests.workflow.test_cancellation import cancel
from workflows import customer_wait, order_check
from workflows.pauses import Pauses
from workflows.payment import PaymentWorkflow


async def test_a_customer_who_confirms_has_paid(harness: SagaHarness, *, hosted: bool) -> None:
    harness.world.before["find_charge"] = at_look(harness, 3, Attempt.customer_confirms)

    payment = await pay(harness, waiting(harness, hosted=hosted))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert states(harness.world) == [ChargeState.CAPTURED]
    calls = harness.world.calls
    assert calls.index("record_reference") < calls.index("record_wait") < calls.index("capture")
    assert calls.count("record_wait") == 1


async def test_the_wait_is_recorded_with_its_end(harness: SagaHarness, *, hosted: bool) -> None:
    harness.world.before["find_charge"] = at_look(harness, 1, Attempt.customer_confirms)

    payment = await pay(harness, waiting(harness, hosted=hosted))

    wait = harness.world.payments[payment.id].wait
    assert wait is not None
    assert wait.until - wait.since == WAIT


async def test_a_customer_who_never_comes_has_not_paid(
    harness: SagaHarness, *, hosted: bool
) -> None:
    instruction = waiting(harness, hosted=hosted)

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.processed_at is not None
    assert WAIT <= payment.processed_at - harness.started_at < WAIT + timedelta(minutes=1)
    assert states(harness.world) == [ChargeState.VOIDED]
    assert harness.world.topics == [TOPIC_FAILED]


async def test_a_customer_who_is_not_authenticated_has_not_paid(
    harness: SagaHarness,
) -> None:
    harness.world.before["find_charge"] = at_look(harness, 2, Attempt.customer_refuses)

    payment = await pay(harness, waiting(harness, hosted=False))

    assert payment.error_code is ErrorCode.INVALID_CARD
    assert states(harness.world) == [ChargeState.VOIDED]


async def test_another_card_can_be_tried_on_a_hosted_page(harness: SagaHarness) -> None:
    def act(attempt: Attempt) -> None:
        attempt.customer_refuses()
        attempt.customer_confirms()

    harness.world.before["find_charge"] = at_look(harness, 2, act)

    payment = await pay(harness, waiting(harness, hosted=True))

    assert payment.status is PaymentStatus.SUCCEEDED


async def test_the_last_look_counts(harness: SagaHarness, *, hosted: bool) -> None:
    """The customer confirms when the time is over, and before the last look."""
    instruction = waiting(harness, hosted=hosted)

    async def look() -> None:
        wait = harness.world.payments[instruction.payment_id].wait
        assert wait is not None
        if await server_time(harness.client) >= wait.until:
            the_attempt(harness).customer_confirms()

    harness.world.before["find_charge"] = look

    payment = await pay(harness, instruction)

    assert payment.status is PaymentStatus.SUCCEEDED


async def test_who_confirms_too_late_pays_nothing(harness: SagaHarness, *, hosted: bool) -> None:
    """The customer confirms while the attempt is being voided."""
    instruction = waiting(harness, hosted=hosted)

    async def void() -> None:
        the_attempt(harness).customer_confirms()

    harness.world.before["void_charge"] = void

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert harness.world.captures == []
    assert states(harness.world) == [ChargeState.VOIDED]


async def test_the_wait_ends_before_the_reservation(harness: SagaHarness, *, hosted: bool) -> None:
    instruction = waiting(harness, hosted=hosted)
    expires_at = harness.started_at + timedelta(minutes=2)
    reservation = a_reservation(instruction, expires_at=expires_at)
    harness.world.reservations[reservation.id] = reservation

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    wait = harness.world.payments[payment.id].wait
    assert wait is not None
    assert timedelta(seconds=10) < expires_at - wait.until < timedelta(seconds=30)


async def test_an_order_that_is_gone_meanwhile_is_not_captured(
    harness: SagaHarness, *, hosted: bool
) -> None:
    instruction = waiting(harness, hosted=hosted)

    def act(attempt: Attempt) -> None:
        attempt.customer_confirms()
        harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    harness.world.before["find_charge"] = at_look(harness, 2, act)

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert harness.world.captures == []
    assert states(harness.world) == [ChargeState.VOIDED]


@pytest.mark.parametrize("operation", ["record_wait", "find_charge"])
async def test_a_cancellation_ends_the_wait(
    harness: SagaHarness, operation: str, *, hosted: bool
) -> None:
    harness.world.after[operation] = cancel(harness)

    payment = await pay(harness, waiting(harness, hosted=hosted))

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert payment.processed_at is not None
    assert payment.processed_at - harness.started_at < timedelta(minutes=1)
    assert states(harness.world) == [ChargeState.VOIDED]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["record_wait", "find_charge", "capture", "void_charge"])
async def test_one_lost_answer_changes_nothing(
    harness: SagaHarness, operation: str, moment: str, *, hosted: bool
) -> None:
    world = harness.world
    lost = world.times(1, world.down(operation))
    (world.before if moment == "before" else world.after)[operation] = lost

    payment = await pay(harness, waiting(harness, hosted=hosted))

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert states(world) == [ChargeState.VOIDED]


async def has_called(harness: SagaHarness, operation: str) -> bool:
    return operation in harness.world.calls


async def tell(handle: WorkflowHandle[PaymentWorkflow, Payment]) -> None:
    await handle.signal(names.SIGNAL_LOOK_AGAIN)


async def test_an_event_of_the_gateway_wakes_the_payment(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch, *, hosted: bool
) -> None:
    """The payment would look by itself only after an hour, and the clock does not skip time."""
    monkeypatch.setattr(customer_wait, "LOOKS", Pauses(HOUR, HOUR))
    handle = await harness.start(waiting(harness, hosted=hosted))
    await eventually("it waits", lambda: has_called(harness, "record_wait"))
    the_attempt(harness).customer_confirms()

    for _ in range(20):  # an event may come twice, and the customer may act in two tabs
        await tell(handle)

    await eventually("it is captured", lambda: has_called(harness, "capture"))
    assert (await handle.result()).status is PaymentStatus.SUCCEEDED
    assert harness.world.calls.count("capture") == 1


async def test_a_quick_customer_does_not_pay_an_order_that_is_gone(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch, *, hosted: bool
) -> None:
    """The customer acts so soon that the verification of the order does not count as old yet."""
    monkeypatch.setattr(customer_wait, "LOOKS", Pauses(HOUR, HOUR))
    monkeypatch.setattr(order_check, "VERIFIED_FOR", HOUR)
    instruction = waiting(harness, hosted=hosted)
    handle = await harness.start(instruction)
    await eventually("it waits", lambda: has_called(harness, "record_wait"))
    harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")
    the_attempt(harness).customer_confirms()

    await tell(handle)

    assert (await handle.result()).error_code is ErrorCode.ORDER_NOT_PENDING
    assert harness.world.captures == []


@pytest.mark.parametrize("has_waited", [False, True])
async def test_what_another_run_undoes_is_not_waited_for(
    harness: SagaHarness, *, hosted: bool, has_waited: bool
) -> None:
    instruction = waiting(harness, hosted=hosted)
    wait = Wait(since=harness.started_at, until=harness.started_at + WAIT) if has_waited else None

    def undo() -> None:
        row = harness.world.payments[instruction.payment_id]
        cancelled = PaymentError(ErrorCode.PAYMENT_CANCELLED, "The payment was cancelled.")
        harness.world.payments[row.id] = row.waiting(wait).compensating(cancelled)

    harness.world.before["record_wait"] = then(None, undo)

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert payment.wait == wait
    assert "find_charge" not in harness.world.calls


async def test_an_event_too_early_or_about_nothing_changes_nothing(harness: SagaHarness) -> None:
    handle = await harness.start(waiting(harness, hosted=True))
    await tell(handle)
    await eventually("it waits", lambda: has_called(harness, "record_wait"))
    await tell(handle)

    payment = await handle.result()

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert states(harness.world) == [ChargeState.VOIDED]


async def test_without_a_way_to_ask_a_bank_that_asks_has_declined(harness: SagaHarness) -> None:
    instruction = waiting(harness, hosted=False)
    instruction = instruction.model_copy(update={"customer_action": None})

    payment = await pay(harness, instruction)

    assert payment.error_code is ErrorCode.INVALID_CARD
    assert "record_wait" not in harness.world.calls
