"""The paths that a payment, a refund or a reconciliation can take, each to be recorded once."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy

from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState
from domain.names import TOPIC_SUCCEEDED, workflow_id
from domain.payment import Announcement, Payment, PaymentInstruction
from domain.refund import Refund
from tests.support.builders import a_payment, a_reservation, an_order
from tests.support.fakes.world import Fault, refusal
from tests.support.loss import an_old_instruction, ending, reconcile
from tests.workflow.conftest import Desk
from workflows.reconciliation import ReconciliationWorkflow
from workflows.start import start_refund

Scenario = Callable[[Desk], Awaitable[WorkflowHistory]]

OUTAGE = timedelta(hours=2)
DECLINED = PaymentError(ErrorCode.CARD_DECLINED, "The card was declined.")


async def _pay(desk: Desk, instruction: PaymentInstruction | None = None) -> WorkflowHistory:
    handle = await desk.start(instruction or desk.an_instruction())
    await handle.result()
    return await handle.fetch_history()


async def _resume(desk: Desk, instruction: PaymentInstruction) -> WorkflowHistory:
    """The history of the run that a round of the reconciliation starts."""
    assert await reconcile(desk) == 1
    await ending(desk, instruction)
    return await desk.client.get_workflow_handle(workflow_id(instruction.order_id)).fetch_history()


def _is_slow(desk: Desk, change: Callable[[], Any]) -> None:
    """The gateway answers the second try; the change happens before."""
    fail = desk.world.times(1, desk.world.down("charge"))

    async def change_and_fail() -> None:
        change()
        await fail()

    desk.world.after["charge"] = change_and_fail


def _decline(desk: Desk) -> None:
    code = ErrorCode.CARD_DECLINED
    desk.world.decline = Charge(
        key="", state=ChargeState.DECLINED, error_code=code, message="Declined."
    )


# Payments whose run is their first.


async def _succeeded(desk: Desk) -> WorkflowHistory:
    return await _pay(desk)


async def _declined(desk: Desk) -> WorkflowHistory:
    _decline(desk)
    return await _pay(desk)


async def _rejected(desk: Desk) -> WorkflowHistory:
    desk.world.before["fetch_order"] = refusal(ErrorCode.ORDER_NOT_FOUND)
    return await _pay(desk)


async def _closed_order(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()
    failed = a_payment(order_id=instruction.order_id, customer_id=instruction.customer_id).failed(
        DECLINED, desk.opened_at, Announcement.MADE
    )
    desk.world.payments[failed.id] = failed
    return await _pay(desk, instruction)


async def _order_paid_before(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()
    paid = a_payment(order_id=instruction.order_id).succeeded(desk.opened_at).announced()
    desk.world.payments[paid.id] = paid
    return await _pay(desk, instruction)


async def _claim_found_its_row(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()
    desk.world.payments[instruction.payment_id] = Payment.pending(instruction)
    return await _pay(desk, instruction)


async def _inventory_away(desk: Desk) -> WorkflowHistory:
    desk.world.before["fetch_reservation"] = desk.world.down("fetch_reservation")
    return await _pay(desk)


async def _rejected_while_inventory_is_away(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()
    desk.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")
    desk.world.before["fetch_reservation"] = desk.world.down("fetch_reservation")
    return await _pay(desk, instruction)


async def _claim_unknown(desk: Desk) -> WorkflowHistory:
    desk.world.before["record_pending"] = desk.world.down_for("record_pending", OUTAGE)
    return await _pay(desk)


async def _success_recorded_late(desk: Desk) -> WorkflowHistory:
    outage = timedelta(minutes=5)
    desk.world.before["record_succeeded"] = desk.world.down_for("record_succeeded", outage)
    return await _pay(desk)


async def _gateway_dark(desk: Desk) -> WorkflowHistory:
    for operation in ("charge", "find_charge", "void_charge"):
        desk.world.before[operation] = desk.world.down_for(operation, OUTAGE)
    return await _pay(desk)


async def _kafka_away(desk: Desk) -> WorkflowHistory:
    desk.world.before[TOPIC_SUCCEEDED] = desk.world.down_for(TOPIC_SUCCEEDED, OUTAGE)
    return await _pay(desk)


async def _cancelled(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()
    desk.world.before["charge"] = _cancel(desk, instruction)
    return await _pay(desk, instruction)


# What must still hold after a slow charge.


async def _slow_charge_kept(desk: Desk) -> WorkflowHistory:
    _is_slow(desk, lambda: None)
    return await _pay(desk)


async def _slow_charge_of_a_cancelled_order(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()

    def change() -> None:
        desk.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")

    _is_slow(desk, change)
    return await _pay(desk, instruction)


async def _reservation_lapsed_while_nobody_answered(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()
    expires_at = desk.opened_at + timedelta(minutes=30)
    held = a_reservation(instruction, expires_at=expires_at)
    desk.world.reservations[held.id] = held
    _is_slow(desk, lambda: _is_away_until_the_refund(desk, desk.world.down("fetch_order")))
    return await _pay(desk, instruction)


async def _cancelled_during_the_second_look(desk: Desk) -> WorkflowHistory:
    instruction = desk.an_instruction()

    async def cancel_and_fail() -> None:
        await _cancel(desk, instruction)()
        await desk.world.down("fetch_order")()

    _is_slow(desk, lambda: _is_away_until_the_refund(desk, cancel_and_fail))
    return await _pay(desk, instruction)


def _is_away_until_the_refund(desk: Desk, fault: Fault) -> None:
    desk.world.before["fetch_order"] = fault

    async def end() -> None:
        desk.world.before.pop("fetch_order", None)

    desk.world.after["refund"] = end


def _cancel(desk: Desk, instruction: PaymentInstruction) -> Fault:
    async def cancel() -> None:
        await desk.client.get_workflow_handle(workflow_id(instruction.order_id)).cancel()

    return cancel


async def _late_failure(desk: Desk) -> WorkflowHistory:
    """A decline that nobody learns of for hours; the order was cancelled meanwhile."""
    _decline(desk)
    instruction = desk.an_instruction()

    async def change_and_fail() -> None:
        desk.world.orders[instruction.order_id] = an_order(instruction, state="cancelled")
        await desk.world.down("charge")()

    desk.world.after["charge"] = change_and_fail
    desk.world.before["find_charge"] = desk.world.down("find_charge")
    desk.world.before["void_charge"] = desk.world.down_for("void_charge", OUTAGE)
    return await _pay(desk, instruction)


# Undoing.


async def _refunded(desk: Desk) -> WorkflowHistory:
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    desk.world.before["refund"] = desk.world.times(2, refusal(ErrorCode.REFUND_REFUSED))
    return await _pay(desk)


async def _event_refused(desk: Desk) -> WorkflowHistory:
    desk.world.before[TOPIC_SUCCEEDED] = refusal(ErrorCode.EVENT_REFUSED)
    return await _pay(desk)


async def _undone_too_late(desk: Desk) -> WorkflowHistory:
    """Its success was published by another run, before the compensation was recorded."""
    instruction = desk.an_instruction()
    desk.world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)

    async def publish() -> None:
        success = Payment.pending(instruction).succeeded(desk.opened_at)
        desk.world.payments[success.id] = success.announced(Announcement.BEGUN)

    desk.world.before["record_compensation"] = publish
    return await _pay(desk, instruction)


# Payments that are taken up again.


async def _resumed_charge_found(desk: Desk) -> WorkflowHistory:
    instruction = an_old_instruction(desk)
    desk.world.lose_after_capture(instruction)
    return await _resume(desk, instruction)


async def _resumed_charge_not_found(desk: Desk) -> WorkflowHistory:
    instruction = an_old_instruction(desk)
    desk.world.payments[instruction.payment_id] = Payment.pending(instruction)
    return await _resume(desk, instruction)


async def _resumed_without_a_row(desk: Desk) -> WorkflowHistory:
    return await _pay(desk, desk.an_instruction().model_copy(update={"resumed": True}))


async def _resumed_too_late_to_charge(desk: Desk) -> WorkflowHistory:
    yesterday = desk.opened_at - timedelta(hours=24)
    instruction = desk.an_instruction().model_copy(update={"requested_at": yesterday})
    desk.world.payments[instruction.payment_id] = Payment.pending(instruction)
    return await _resume(desk, instruction)


async def _resumed_success_due(desk: Desk) -> WorkflowHistory:
    instruction = an_old_instruction(desk)
    desk.world.lose_after_success(instruction)
    return await _resume(desk, instruction)


async def _resumed_success_unknown_at_the_gateway(desk: Desk) -> WorkflowHistory:
    instruction = an_old_instruction(desk)
    success = Payment.pending(instruction).succeeded(desk.opened_at)
    desk.world.payments[success.id] = success
    return await _resume(desk, instruction)


async def _resumed_success_begun(desk: Desk) -> WorkflowHistory:
    instruction = an_old_instruction(desk)
    desk.world.lose_after_success(instruction)
    recorded = desk.world.payments[instruction.payment_id]
    desk.world.payments[recorded.id] = recorded.announced(Announcement.BEGUN)
    return await _resume(desk, instruction)


async def _another_payment_carried(desk: Desk) -> WorkflowHistory:
    """The order is asked to be paid again, and its lost success is published."""
    instruction = an_old_instruction(desk)
    desk.world.lose_after_success(instruction)
    return await _pay(desk, instruction.model_copy(update={"payment_id": uuid4()}))


async def _resumed_while_being_undone(desk: Desk) -> WorkflowHistory:
    instruction = an_old_instruction(desk)
    desk.world.lose_after_capture(instruction)
    recorded = desk.world.payments[instruction.payment_id]
    desk.world.payments[recorded.id] = recorded.compensating(DECLINED)
    return await _resume(desk, instruction)


async def _failure_withdrawn(desk: Desk) -> WorkflowHistory:
    """Another payment has paid the order since."""
    instruction = an_old_instruction(desk)
    failed = Payment.pending(instruction).failed(DECLINED, desk.opened_at, Announcement.DUE)
    paid = a_payment(order_id=instruction.order_id).succeeded(desk.opened_at).announced()
    desk.world.payments |= {failed.id: failed, paid.id: paid}
    return await _resume(desk, instruction)


async def _failure_left_alone(desk: Desk) -> WorkflowHistory:
    """Another payment of the order is being made."""
    instruction = an_old_instruction(desk)
    failed = Payment.pending(instruction).failed(DECLINED, desk.opened_at, Announcement.BEGUN)
    young = a_payment(order_id=instruction.order_id, created_at=desk.opened_at)
    desk.world.payments |= {failed.id: failed, young.id: young}
    return await _resume(desk, instruction)


# Rounds of the reconciliation.


async def _round(desk: Desk) -> WorkflowHistory:
    handle = await desk.client.start_workflow(
        ReconciliationWorkflow.run, id=str(uuid4()), task_queue=names.TASK_QUEUE
    )
    with suppress(WorkflowFailureError):
        await handle.result()
    return await handle.fetch_history()


async def _round_failed(desk: Desk) -> WorkflowHistory:
    desk.world.before["unfinished_before"] = desk.world.down("unfinished_before")
    return await _round(desk)


# Refunds that callers ask for.


async def _refund(desk: Desk, **changes: Any) -> WorkflowHistory:
    payment = await desk.pay()
    refund = Refund.pending(payment, payment.amount, "key", desk.opened_at)
    refund = refund.model_copy(update=changes)
    handle = await start_refund(desk.client, refund, WorkflowIDConflictPolicy.FAIL)
    await handle.result()
    return await handle.fetch_history()


async def _refund_gateway_dark(desk: Desk) -> WorkflowHistory:
    desk.world.before["refund"] = desk.world.down_for("refund", OUTAGE)
    return await _refund(desk)


async def _refund_refused(desk: Desk) -> WorkflowHistory:
    desk.world.before["refund"] = refusal(ErrorCode.REFUND_REFUSED)
    return await _refund(desk)


async def _refund_too_large(desk: Desk) -> WorkflowHistory:
    desk.world.before["record_refund"] = refusal(ErrorCode.REFUND_TOO_LARGE)
    return await _refund(desk)


async def _refund_resumed(desk: Desk) -> WorkflowHistory:
    return await _refund(desk, is_unsent=False)


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
    }
)
