"""A charge at a gateway that opens: the reference is recorded first, and the capture is last."""

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.gateway import Charge, ChargeIdentity, ChargeState
from domain.names import TOPIC_FAILED
from domain.payment import Payment, PaymentStatus
from tests.support.attempts import TOKEN, attempt_of, by_token, states
from tests.support.builders import HOUR, a_reservation, an_order
from tests.support.changes import then
from tests.support.fakes.opening_gateway import FakeOpeningGateway
from tests.support.invariants import assert_books_agree
from tests.support.saga_harness import FORWARD, SagaHarness
from tests.workflow.test_cancellation import cancel

OPENED = ["open_charge", "record_reference", "authorize", "capture"]
DECLINE = Charge(key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED)


async def pay(harness: SagaHarness, **changes: Any) -> Payment:
    """Pay, and compare all books."""
    payment = await harness.pay(by_token(harness, **changes))
    assert_books_agree(harness.world, payment)
    return payment


async def test_the_reference_is_recorded_before_the_charge(harness: SagaHarness) -> None:
    payment = await pay(harness)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert harness.world.calls[3:] == [*OPENED, *FORWARD[4:]]
    (reference,) = harness.world.attempts
    assert payment.gateway_reference == payment.transaction_id == reference
    assert harness.world.payments[payment.id] == payment


async def test_a_payment_takes_four_workflow_tasks(harness: SagaHarness) -> None:
    instruction = by_token(harness)
    handle = await harness.start(instruction)
    await handle.result()

    history = await handle.fetch_history()

    ended = [
        each for each in history.events if each.HasField("workflow_task_completed_event_attributes")
    ]
    assert len(ended) == 4


async def test_the_token_is_in_the_first_event_and_nowhere_else(harness: SagaHarness) -> None:
    handle = await harness.start(by_token(harness))
    await handle.result()

    first, *rest = (await handle.fetch_history()).events

    assert TOKEN in str(first)
    assert [each for each in rest if TOKEN in str(each)] == []
    assert TOKEN not in str(harness.world.events + list(harness.world.payments.values()))


async def test_a_decline_is_voided_before_it_is_published(harness: SagaHarness) -> None:
    harness.world.decline = DECLINE

    payment = await pay(harness)

    assert payment.error_code is ErrorCode.CARD_DECLINED
    assert "capture" not in harness.world.calls
    calls = harness.world.calls
    assert calls.index("void_charge") < calls.index("record_failed") < calls.index(TOPIC_FAILED)
    assert states(harness.world) == [ChargeState.VOIDED]


async def test_a_gateway_that_opens_nothing_charges_nothing(harness: SagaHarness) -> None:
    harness.world.before["open_charge"] = harness.world.down("open_charge")

    payment = await pay(harness)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert {"authorize", "capture", "void_charge", "refund"}.isdisjoint(harness.world.calls)
    assert harness.world.topics == [TOPIC_FAILED]


@pytest.mark.parametrize("operation", OPENED)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_one_lost_answer_changes_nothing(
    harness: SagaHarness, operation: str, moment: str
) -> None:
    world = harness.world
    lost = world.times(1, world.down(operation))
    (world.before if moment == "before" else world.after)[operation] = lost

    payment = await pay(harness)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert states(world).count(ChargeState.CAPTURED) == 1


@pytest.mark.parametrize("operation", ["authorize", "capture"])
async def test_an_authorization_that_nobody_may_use_is_voided(
    harness: SagaHarness, operation: str
) -> None:
    """The requests do not arrive at the gateway."""
    harness.world.before[operation] = harness.world.down(operation)

    payment = await pay(harness)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert states(harness.world) == [ChargeState.VOIDED]
    assert harness.world.captures == []


async def test_a_capture_whose_response_is_lost_for_hours_is_kept(harness: SagaHarness) -> None:
    world = harness.world
    world.after["capture"] = world.down("capture")
    for operation in ("find_charge", "void_charge"):
        world.before[operation] = world.down_for(operation, 6 * HOUR)

    payment = await pay(harness, reserved=False)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert states(world) == [ChargeState.CAPTURED]


@pytest.mark.parametrize("operation", ["open_charge", "authorize", "capture"])
async def test_a_cancellation_captures_nothing_that_is_kept(
    harness: SagaHarness, operation: str
) -> None:
    harness.world.after[operation] = cancel(harness)

    payment = await pay(harness)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert harness.world.net_minor_units == 0
    is_captured = operation == "capture"
    assert states(harness.world) == [ChargeState.CAPTURED if is_captured else ChargeState.VOIDED]
    assert ("refund" in harness.world.calls) is is_captured


async def test_an_order_that_is_gone_after_a_slow_authorization_is_not_captured(
    harness: SagaHarness,
) -> None:
    instruction = by_token(harness)

    def change() -> None:
        harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    lost = harness.world.times(1, harness.world.down("authorize"))
    harness.world.after["authorize"] = then(lost, change)

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.ORDER_NOT_PENDING
    assert harness.world.captures == []
    assert states(harness.world) == [ChargeState.VOIDED]
    assert_books_agree(harness.world, payment)


async def test_a_reservation_that_expires_meanwhile_is_not_captured(harness: SagaHarness) -> None:
    instruction = by_token(harness)
    soon = harness.started_at + timedelta(minutes=2)
    held = a_reservation(instruction, expires_at=soon)
    harness.world.reservations[held.id] = held
    harness.world.before["capture"] = harness.world.down("capture")

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PROCESSOR_TIMEOUT
    assert payment.processed_at is not None
    assert payment.processed_at < soon + timedelta(minutes=1)
    assert harness.world.captures == []
    assert states(harness.world) == [ChargeState.VOIDED]
    assert_books_agree(harness.world, payment)


async def test_the_reference_of_another_run_is_the_one_that_counts(harness: SagaHarness) -> None:
    instruction = by_token(harness)
    lost = attempt_of(instruction, ChargeState.OPEN, "pi_lost")

    async def record_of_a_lost_run_arrives() -> None:
        harness.world.attempts["pi_lost"] = lost
        recorded = harness.world.payments[instruction.payment_id]
        harness.world.payments[recorded.id] = recorded.referring("pi_lost")

    harness.world.before["record_reference"] = record_of_a_lost_run_arrives

    payment = await harness.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.gateway_reference == payment.transaction_id == "pi_lost"
    assert sorted(states(harness.world)) == [ChargeState.CAPTURED, ChargeState.OPEN]
    assert_books_agree(harness.world, payment)


async def test_what_another_run_undoes_is_not_charged(harness: SagaHarness) -> None:
    instruction = by_token(harness)

    async def another_run_undoes() -> None:
        recorded = harness.world.payments[instruction.payment_id]
        error = PaymentError(ErrorCode.PAYMENT_CANCELLED, "The payment was cancelled.")
        harness.world.payments[recorded.id] = recorded.compensating(error)

    harness.world.before["record_reference"] = another_run_undoes

    payment = await harness.pay(instruction)

    assert payment.error_code is ErrorCode.PAYMENT_CANCELLED
    assert "authorize" not in harness.world.calls
    assert_books_agree(harness.world, payment)


async def test_what_another_run_has_captured_and_published_is_kept(harness: SagaHarness) -> None:
    world, instruction = harness.world, by_token(harness)

    async def another_run_succeeds() -> None:
        world.attempts["pi_1"] = attempt_of(instruction, ChargeState.CAPTURED, "pi_1")
        world.captures.append(instruction.charge_request)
        success = world.payments[instruction.payment_id].referring("pi_1")
        success = success.succeeded(harness.started_at).announced()
        world.payments[success.id] = success
        world.transitions[success.id].append(success.status)
        world.events.append(PaymentEvent.of(success))

    world.before["record_reference"] = world.times(1, another_run_succeeds)

    payment = await harness.pay(instruction)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert "refund" not in world.calls
    assert_books_agree(world, payment)


async def test_a_claim_whose_response_is_lost_keeps_the_token(harness: SagaHarness) -> None:
    world = harness.world
    world.after["record_pending"] = world.times(1, world.down("record_pending"))

    payment = await pay(harness)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert world.calls.count("record_pending") == 2


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_what_an_earlier_version_voids_at_the_simulator_does_not_count(
    harness: SagaHarness, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    world = harness.world
    answer_as_an_earlier_version(monkeypatch, "void_charge")
    if is_cancelled:
        world.after["authorize"] = cancel(harness)
    else:
        world.after["capture"] = world.down("capture")
        world.before["find_charge"] = world.down("find_charge")

    payment = await pay(harness)

    assert payment.status is (PaymentStatus.FAILED if is_cancelled else PaymentStatus.SUCCEEDED)
    assert states(world) == [ChargeState.VOIDED if is_cancelled else ChargeState.CAPTURED]


def answer_as_an_earlier_version(patch: pytest.MonkeyPatch, method: str) -> None:
    """Let the next call of `method` respond as a worker of an earlier version does.

    That worker ignores the reference and sends the request to the simulator. The simulator does not
    know the charge, and voids it.
    """
    present = getattr(FakeOpeningGateway, method)

    async def answer(_: FakeOpeningGateway, charge: ChargeIdentity) -> Charge:
        patch.setattr(FakeOpeningGateway, method, present)
        return Charge(key=charge.key, state=ChargeState.VOIDED)

    patch.setattr(FakeOpeningGateway, method, answer)
