"""How the world stands when a case begins: what neighbours say, and what lost runs have left."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from uuid import uuid4

from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.gateway import Charge, ChargeState, RefundRequest
from domain.names import charge_key, refund_key
from domain.payment import Announcement, Payment, PaymentInstruction
from domain.verification import PENDING
from tests.proofs.simulation.faults import FRESH, Scenario
from tests.proofs.simulation.world import FaultyWorld
from tests.support.builders import a_reservation, an_order
from tests.support.fakes.world import CAPTURED
from workflows.reconciliation import CHECKED_AFTER

DECLINE = Charge(key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED)
WHY = PaymentError(ErrorCode.EVENT_REFUSED, "Kafka refused the event.")
SOON = timedelta(minutes=30)
"""More than the clock leaps while nothing runs: to the last deadline of a finished step."""
WITHOUT_RESERVATION = frozenset({Scenario.UNRESERVED, Scenario.REATTEMPTED})


def set_up(
    world: FaultyWorld, scenario: Scenario, instruction: PaymentInstruction
) -> PaymentInstruction:
    """Make the world that of the scenario. Returns the instruction as the scenario has it."""
    if scenario in WITHOUT_RESERVATION:
        instruction = instruction.model_copy(update={"reservation_id": None})
    if scenario not in FRESH:
        age = timedelta(days=1) if scenario is Scenario.STALE else 2 * CHECKED_AFTER
        asked_at = instruction.requested_at - age
        instruction = instruction.model_copy(update={"requested_at": asked_at})
    _open_order(world, scenario, instruction)
    if prepare := _PREPARED.get(scenario):
        prepare(world, instruction)
    return instruction


def _open_order(world: FaultyWorld, scenario: Scenario, instruction: PaymentInstruction) -> None:
    state = "draft" if scenario is Scenario.REJECTED else PENDING
    world.orders[instruction.order_id] = an_order(instruction, state=state)
    if instruction.reservation_id is not None:
        ends_at = instruction.requested_at + SOON if scenario is Scenario.LAPSING else None
        held = a_reservation(instruction, expires_at=ends_at)
        world.reservations[held.id] = held


def _decline(world: FaultyWorld, _: PaymentInstruction) -> None:
    world.decline = DECLINE


def _allow_another_attempt(world: FaultyWorld, _: PaymentInstruction) -> None:
    world.decline = DECLINE
    world.allows_another_attempt = world.consumers.keep_orders_open = True


def _refuse_success(world: FaultyWorld, _: PaymentInstruction) -> None:
    world.unrecordable = True


def _claim(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.payments[instruction.payment_id] = Payment.pending(instruction)


def _forget_key(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.lose_after_capture(instruction)
    world.forgotten_keys.add(instruction.charge_request.key)


def _succeed(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.lose_after_success(instruction)


def _begin_event(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.lose_after_success(instruction)
    success = world.payments[instruction.payment_id]
    world.payments[success.id] = success.announced(Announcement.BEGUN)


def _undo(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.lose_after_capture(instruction)
    pending = world.payments[instruction.payment_id]
    world.payments[pending.id] = pending.compensating(WHY)


def _undo_success(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.lose_after_success(instruction)
    success = world.payments[instruction.payment_id]
    world.payments[success.id] = success.compensating(WHY)


def _refund(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    world.lose_after_success(instruction)
    key = charge_key(instruction.payment_id)
    world.refunds.append(
        RefundRequest(
            key=refund_key(instruction.payment_id), charge_key=key, amount=instruction.amount
        )
    )
    refunded = {"key": key, "state": ChargeState.REFUNDED}
    world.charges[key] = CAPTURED.model_copy(update=refunded)


def _fail(
    world: FaultyWorld, instruction: PaymentInstruction, announcement: Announcement
) -> PaymentInstruction:
    """Leave a failure, and return another payment of its order."""
    error = PaymentError(ErrorCode.CARD_DECLINED, "The card was declined.")
    failure = Payment.pending(instruction).failed(error, instruction.requested_at, announcement)
    world.payments[failure.id] = failure
    return instruction.model_copy(update={"payment_id": uuid4()})


def _fail_beside_success(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    other = _fail(world, instruction, Announcement.DUE)
    world.lose_after_success(other)
    success = world.payments[other.payment_id].announced()
    world.payments[success.id] = success
    event = PaymentEvent.of(success)
    world.events.append(event)
    world.consumers.tell(event)
    world.consumers.hear_all()


def _fail_beside_pending(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    other = _fail(world, instruction, Announcement.BEGUN)
    asked_at = instruction.requested_at + 2 * CHECKED_AFTER
    _claim(world, other.model_copy(update={"requested_at": asked_at}))


_PREPARED: Mapping[Scenario, Callable[[FaultyWorld, PaymentInstruction], None]] = MappingProxyType(
    {
        Scenario.DECLINED: _decline,
        Scenario.REATTEMPTED: _allow_another_attempt,
        Scenario.UNRECORDABLE: _refuse_success,
        Scenario.CLAIMED: _claim,
        Scenario.STALE: _forget_key,
        Scenario.UNPUBLISHED: _succeed,
        Scenario.BEGUN: _begin_event,
        Scenario.UNDONE: _undo,
        Scenario.UNDONE_SUCCESS: _undo_success,
        Scenario.REFUNDED: _refund,
        Scenario.FAILED_BESIDE_SUCCESS: _fail_beside_success,
        Scenario.FAILED_BESIDE_PENDING: _fail_beside_pending,
    }
)
