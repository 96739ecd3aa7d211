"""Data: the paths of a payment, a refund and a reconciliation, each to be recorded once."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy

from domain import names
from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeState, RefundState
from domain.instruction import PaymentInstruction
from domain.names import TOPIC_SUCCEEDED, workflow_id
from domain.payment import Announcement, Payment
from domain.refund import Refund
from tests.support.attempts import attempt_of, by_token
from tests.support.builders import DECLINED, a_payment, a_reservation, an_order
from tests.support.fakes.world import Fault, refusal
from tests.support.loss import an_old_instruction, ending, reconcile
from tests.support.saga_harness import SagaHarness
from workflows.reconciliation import ReconciliationWorkflow
from workflows.start import start_refund

Scenario = Callable[[SagaHarness], Awaitable[WorkflowHistory]]

OUTAGE = timedelta(hours=2)


async def _pay(
    harness: SagaHarness, instruction: PaymentInstruction | None = None
) -> WorkflowHistory:
    handle = await harness.start(instruction or harness.an_instruction())
    await handle.result()
    return await handle.fetch_history()


async def _resume(harness: SagaHarness, instruction: PaymentInstruction) -> WorkflowHistory:
    """The history of the run that a round of the reconciliation starts."""
    assert await reconcile(harness) == 1
    await ending(harness, instruction)
    return await harness.client.get_workflow_handle(
        workflow_id(instruction.order_id)
    ).fetch_history()


def _is_slow(harness: SagaHarness, change: Callable[[], Any]) -> None:
    """The charge is answered at the second try. The change happens before that."""
    fail = harness.world.times(1, harness.world.down("charge"))

    async def change_and_fail() -> None:
        change()
        await fail()

    harness.world.after["charge"] = change_and_fail


def _decline(harness: SagaHarness) -> None:
    code = ErrorCode.CARD_DECLINED
    harness.world.decline = Charge(
        key="", state=ChargeState.DECLINED, error_code=code, message="Declined."
    )


# Payments whose run is their first.


async def _succeeded(harness: SagaHarness) -> WorkflowHistory:
    return await _pay(harness)


async def _declined(harness: SagaHarness) -> WorkflowHistory:
    _decline(harness)
    return await _pay(harness)


async def _rejected(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["fetch_order"] = refusal(ErrorCode.ORDER_NOT_FOUND)
    return await _pay(harness)


async def _closed_order(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()
    failed = a_payment(order_id=instruction.order_id, customer_id=instruction.customer_id).failed(
        DECLINED, harness.started_at, Announcement.MADE
    )
    harness.world.payments[failed.id] = failed
    return await _pay(harness, instruction)


async def _order_paid_before(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()
    paid = a_payment(order_id=instruction.order_id).succeeded(harness.started_at).announced()
    harness.world.payments[paid.id] = paid
    return await _pay(harness, instruction)


async def _claim_found_its_row(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()
    harness.world.payments[instruction.payment_id] = Payment.pending(instruction)
    return await _pay(harness, instruction)


async def _inventory_away(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["fetch_reservation"] = harness.world.down("fetch_reservation")
    return await _pay(harness)


async def _rejected_while_inventory_is_away(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()
    harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")
    harness.world.before["fetch_reservation"] = harness.world.down("fetch_reservation")
    return await _pay(harness, instruction)


async def _claim_unknown(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["record_pending"] = harness.world.down_for("record_pending", OUTAGE)
    return await _pay(harness)


async def _success_recorded_late(harness: SagaHarness) -> WorkflowHistory:
    outage = timedelta(minutes=5)
    harness.world.before["record_succeeded"] = harness.world.down_for("record_succeeded", outage)
    return await _pay(harness)


async def _gateway_dark(harness: SagaHarness) -> WorkflowHistory:
    for operation in ("charge", "find_charge", "void_charge"):
        harness.world.before[operation] = harness.world.down_for(operation, OUTAGE)
    return await _pay(harness)


async def _kafka_away(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before[TOPIC_SUCCEEDED] = harness.world.down_for(TOPIC_SUCCEEDED, OUTAGE)
    return await _pay(harness)


async def _cancelled(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()
    harness.world.before["charge"] = _cancel(harness, instruction)
    return await _pay(harness, instruction)


# What must still hold after a slow charge.


async def _slow_charge_kept(harness: SagaHarness) -> WorkflowHistory:
    _is_slow(harness, lambda: None)
    return await _pay(harness)


async def _slow_charge_of_a_cancelled_order(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()

    def change() -> None:
        harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    _is_slow(harness, change)
    return await _pay(harness, instruction)


async def _reservation_lapsed_while_nobody_answered(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()
    expires_at = harness.started_at + timedelta(minutes=30)
    held = a_reservation(instruction, expires_at=expires_at)
    harness.world.reservations[held.id] = held
    _is_slow(harness, lambda: _is_away_until_the_refund(harness, harness.world.down("fetch_order")))
    return await _pay(harness, instruction)


async def _cancelled_during_the_second_look(harness: SagaHarness) -> WorkflowHistory:
    instruction = harness.an_instruction()

    async def cancel_and_fail() -> None:
        await _cancel(harness, instruction)()
        await harness.world.down("fetch_order")()

    _is_slow(harness, lambda: _is_away_until_the_refund(harness, cancel_and_fail))
    return await _pay(harness, instruction)


def _is_away_until_the_refund(harness: SagaHarness, fault: Fault) -> None:
    harness.world.before["fetch_order"] = fault

    async def end() -> None:
        harness.world.before.pop("fetch_order", None)

    harness.world.after["refund"] = end


def _cancel(harness: SagaHarness, instruction: PaymentInstruction) -> Fault:
    async def cancel() -> None:
        await harness.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()

    return cancel


async def _late_failure(harness: SagaHarness) -> WorkflowHistory:
    """The gateway declines but its response is lost for hours. The order is cancelled meanwhile."""
    _decline(harness)
    instruction = harness.an_instruction()

    async def change_and_fail() -> None:
        harness.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")
        await harness.world.down("charge")()

    harness.world.after["charge"] = change_and_fail
    harness.world.before["find_charge"] = harness.world.down("find_charge")
    harness.world.before["void_charge"] = harness.world.down_for("void_charge", OUTAGE)
    return await _pay(harness, instruction)


# Undoing.


async def _refunded(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    harness.world.before["refund"] = harness.world.times(2, refusal(ErrorCode.REFUND_REFUSED))
    return await _pay(harness)


async def _event_refused(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before[TOPIC_SUCCEEDED] = refusal(ErrorCode.EVENT_REFUSED)
    return await _pay(harness)


async def _undone_too_late(harness: SagaHarness) -> WorkflowHistory:
    """Another run publishes the success before the compensation is recorded."""
    instruction = harness.an_instruction()
    harness.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)

    async def publish() -> None:
        success = Payment.pending(instruction).succeeded(harness.started_at)
        harness.world.payments[success.id] = success.announced(Announcement.BEGUN)

    harness.world.before["record_compensation"] = publish
    return await _pay(harness, instruction)


# Payments that are taken up again.


async def _resumed_charge_found(harness: SagaHarness) -> WorkflowHistory:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    return await _resume(harness, instruction)


async def _resumed_charge_not_found(harness: SagaHarness) -> WorkflowHistory:
    instruction = an_old_instruction(harness)
    harness.world.payments[instruction.payment_id] = Payment.pending(instruction)
    return await _resume(harness, instruction)


async def _resumed_without_a_row(harness: SagaHarness) -> WorkflowHistory:
    return await _pay(harness, harness.an_instruction().model_copy(update={"resumed": True}))


async def _resumed_too_late_to_charge(harness: SagaHarness) -> WorkflowHistory:
    yesterday = harness.started_at - timedelta(hours=24)
    instruction = harness.an_instruction().model_copy(update={"requested_at": yesterday})
    harness.world.payments[instruction.payment_id] = Payment.pending(instruction)
    return await _resume(harness, instruction)


async def _resumed_success_due(harness: SagaHarness) -> WorkflowHistory:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    return await _resume(harness, instruction)


async def _resumed_success_unknown_at_the_gateway(harness: SagaHarness) -> WorkflowHistory:
    instruction = an_old_instruction(harness)
    success = Payment.pending(instruction).succeeded(harness.started_at)
    harness.world.payments[success.id] = success
    return await _resume(harness, instruction)


async def _resumed_success_begun(harness: SagaHarness) -> WorkflowHistory:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    recorded = harness.world.payments[instruction.payment_id]
    harness.world.payments[recorded.id] = recorded.announced(Announcement.BEGUN)
    return await _resume(harness, instruction)


async def _another_payment_carried(harness: SagaHarness) -> WorkflowHistory:
    """The order is paid again after its success was lost. The success is published."""
    instruction = an_old_instruction(harness)
    harness.world.lose_after_success(instruction)
    return await _pay(harness, instruction.model_copy(update={"payment_id": uuid4()}))


async def _resumed_while_being_undone(harness: SagaHarness) -> WorkflowHistory:
    instruction = an_old_instruction(harness)
    harness.world.lose_after_capture(instruction)
    recorded = harness.world.payments[instruction.payment_id]
    harness.world.payments[recorded.id] = recorded.compensating(DECLINED)
    return await _resume(harness, instruction)


async def _failure_withdrawn(harness: SagaHarness) -> WorkflowHistory:
    """Another payment has paid the order since the failure was recorded."""
    instruction = an_old_instruction(harness)
    failed = Payment.pending(instruction).failed(DECLINED, harness.started_at, Announcement.DUE)
    paid = a_payment(order_id=instruction.order_id).succeeded(harness.started_at).announced()
    harness.world.payments |= {failed.id: failed, paid.id: paid}
    return await _resume(harness, instruction)


async def _failure_left_alone(harness: SagaHarness) -> WorkflowHistory:
    """Another payment of the order is running."""
    instruction = an_old_instruction(harness)
    failed = Payment.pending(instruction).failed(DECLINED, harness.started_at, Announcement.BEGUN)
    young = a_payment(order_id=instruction.order_id, created_at=harness.started_at)
    harness.world.payments |= {failed.id: failed, young.id: young}
    return await _resume(harness, instruction)


# Rounds of the reconciliation.


async def _round(harness: SagaHarness) -> WorkflowHistory:
    handle = await harness.client.start_workflow(
        ReconciliationWorkflow.run, id=str(uuid4()), task_queue=names.TASK_QUEUE
    )
    with suppress(WorkflowFailureError):
        await handle.result()
    return await handle.fetch_history()


async def _round_failed(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["unfinished_before"] = harness.world.down("unfinished_before")
    return await _round(harness)


# Refunds that callers ask for.


async def _refund(harness: SagaHarness, **changes: Any) -> WorkflowHistory:
    payment = await harness.pay()
    refund = Refund.pending(payment, payment.amount, "key", harness.started_at)
    refund = refund.model_copy(update=changes)
    handle = await start_refund(harness.client, refund, WorkflowIDConflictPolicy.FAIL)
    await handle.result()
    return await handle.fetch_history()


async def _refund_gateway_dark(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["refund"] = harness.world.down_for("refund", OUTAGE)
    return await _refund(harness)


async def _refund_refused(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["refund"] = refusal(ErrorCode.REFUND_REFUSED)
    return await _refund(harness)


async def _refund_too_large(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["record_refund"] = refusal(ErrorCode.REFUND_TOO_LARGE)
    return await _refund(harness)


async def _refund_resumed(harness: SagaHarness) -> WorkflowHistory:
    return await _refund(harness, is_unsent=False)


async def _stripe_succeeded(harness: SagaHarness) -> WorkflowHistory:
    return await _pay(harness, by_token(harness))


async def _stripe_declined(harness: SagaHarness) -> WorkflowHistory:
    _decline(harness)
    return await _stripe_succeeded(harness)


async def _stripe_authorized_slowly(harness: SagaHarness) -> WorkflowHistory:
    lost = harness.world.times(1, harness.world.down("authorize"))
    harness.world.after["authorize"] = lost
    return await _stripe_succeeded(harness)


async def _stripe_capture_unknown(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["capture"] = harness.world.down("capture")
    return await _stripe_succeeded(harness)


async def _stripe_not_opened(harness: SagaHarness) -> WorkflowHistory:
    harness.world.before["open_charge"] = harness.world.down("open_charge")
    return await _stripe_succeeded(harness)


async def _stripe_resumed(harness: SagaHarness) -> WorkflowHistory:
    """A lost run has authorized. The same request comes again."""
    instruction = by_token(harness)
    attempt = attempt_of(instruction, ChargeState.AUTHORIZED, "pi_1")
    harness.world.attempts["pi_1"] = attempt
    recorded = Payment.pending(instruction).referring("pi_1")
    harness.world.payments[recorded.id] = recorded
    harness.world.transitions[recorded.id].append(recorded.status)
    return await _pay(harness, recorded.to_resume(instruction))


async def _stripe_refund_pending(harness: SagaHarness) -> WorkflowHistory:
    payment = await harness.pay(by_token(harness))
    harness.world.next_refund = RefundState.PENDING
    refund = Refund.pending(payment, payment.amount, "key", harness.started_at)
    looks = 0

    async def settle() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            harness.world.settle_refund(refund.request.key, RefundState.SUCCEEDED)

    harness.world.before["find_refund"] = settle
    handle = await start_refund(harness.client, refund, WorkflowIDConflictPolicy.FAIL)
    await handle.result()
    return await handle.fetch_history()


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "succeeded": _succeeded,
        "declined": _declined,
        "rejected": _rejected,
        "closed-order": _closed_order,
        "order-paid-before": _order_paid_before,
        "claim-found-its-row": _claim_found_its_row,
        "inventory-away": _inventory_away,
        "rejected-while-inventory-is-away": _rejected_while_inventory_is_away,
        "claim-unknown": _claim_unknown,
        "success-recorded-late": _success_recorded_late,
        "gateway-dark": _gateway_dark,
        "kafka-away": _kafka_away,
        "cancelled": _cancelled,
        "slow-charge-kept": _slow_charge_kept,
        "slow-charge-of-a-cancelled-order": _slow_charge_of_a_cancelled_order,
        "reservation-lapsed-while-nobody-answered": _reservation_lapsed_while_nobody_answered,
        "cancelled-during-the-second-look": _cancelled_during_the_second_look,
        "late-failure": _late_failure,
        "refunded": _refunded,
        "event-refused": _event_refused,
        "undone-too-late": _undone_too_late,
        "resumed-charge-found": _resumed_charge_found,
        "resumed-charge-not-found": _resumed_charge_not_found,
        "resumed-without-a-row": _resumed_without_a_row,
        "resumed-too-late-to-charge": _resumed_too_late_to_charge,
        "resumed-success-due": _resumed_success_due,
        "resumed-success-begun": _resumed_success_begun,
        "resumed-success-unknown-at-the-gateway": _resumed_success_unknown_at_the_gateway,
        "another-payment-carried": _another_payment_carried,
        "resumed-while-being-undone": _resumed_while_being_undone,
        "failure-withdrawn": _failure_withdrawn,
        "failure-left-alone": _failure_left_alone,
        "round-completed": _round,
        "round-failed": _round_failed,
        "refund-made": _refund,
        "refund-gateway-dark": _refund_gateway_dark,
        "refund-refused": _refund_refused,
        "refund-too-large": _refund_too_large,
        "refund-resumed": _refund_resumed,
        "stripe-succeeded": _stripe_succeeded,
        "stripe-declined": _stripe_declined,
        "stripe-authorized-slowly": _stripe_authorized_slowly,
        "stripe-capture-unknown": _stripe_capture_unknown,
        "stripe-not-opened": _stripe_not_opened,
        "stripe-resumed": _stripe_resumed,
        "stripe-refund-pending": _stripe_refund_pending,
    }
)
