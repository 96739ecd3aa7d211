"""How the world stands when a case begins: what neighbours say, and what lost runs have left."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from uuid import uuid4

from domain.customer_action import CustomerAction, Wait
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.gateway import Charge, ChargeState, RefundRequest
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from domain.names import charge_key, refund_key
from domain.payment import Announcement, Payment, PaymentStatus
from domain.verification import PENDING
from tests.proofs.simulation.faults import Kind
from tests.proofs.simulation.scenario import (
    AT_STRIPE,
    FRESH,
    LAPSING,
    ON_A_PAGE,
    STALE,
    WAITING,
    Scenario,
)
from tests.proofs.simulation.world import FaultyWorld
from tests.support.builders import a_reservation, an_order
from tests.support.fakes.opening_gateway import Attempt
from tests.support.fakes.world import CAPTURED
from workflows.reconciliation import CHECKED_AFTER

DECLINE = Charge(key="", state=ChargeState.DECLINED, error_code=ErrorCode.CARD_DECLINED)
WHY = PaymentError(ErrorCode.EVENT_REFUSED, "Kafka refused the event.")
LOST = "pi_lost"
"""The reference of the attempt that a lost run has left."""
SOON = timedelta(minutes=30)
"""More than the clock leaps while nothing runs: to the last deadline of a finished step."""
CUSTOMERS = {
    Scenario.STRIPE_ASKED: Kind.CONFIRMED,
    Scenario.STRIPE_PAGE: Kind.CONFIRMED,
    Scenario.STRIPE_WAITING: Kind.CONFIRMED,
    Scenario.STRIPE_NOT_AUTHENTICATED: Kind.NOT_AUTHENTICATED,
}
"""What the customer does. In other scenarios the customer does nothing."""
WITHOUT_RESERVATION = frozenset({Scenario.UNRESERVED, Scenario.REATTEMPTED})


def set_up(
    world: FaultyWorld, scenario: Scenario, instruction: PaymentInstruction
) -> PaymentInstruction:
    """Make the world that of the scenario. Returns the instruction as the scenario has it."""
    if scenario in AT_STRIPE:
        by_token = {"gateway": GatewayName.STRIPE, "token": "pm_card_visa"}
        instruction = instruction.model_copy(update=by_token)
    if scenario in WAITING:
        instruction = _to_wait(world, scenario, instruction)
    if scenario in WITHOUT_RESERVATION:
        instruction = instruction.model_copy(update={"reservation_id": None})
    if scenario not in FRESH:
        age = timedelta(days=1) if scenario in STALE else 2 * CHECKED_AFTER
        asked_at = instruction.requested_at - age
        instruction = instruction.model_copy(update={"requested_at": asked_at})
    _open_order(world, scenario, instruction)
    if prepare := _PREPARED.get(scenario):
        prepare(world, instruction)
    return instruction


def _to_wait(
    world: FaultyWorld, scenario: Scenario, instruction: PaymentInstruction
) -> PaymentInstruction:
    """Let the customer act as in the scenario. Returns the instruction of a payment that waits."""
    world.bank_asks = True
    world.changes.customer = CUSTOMERS.get(scenario)
    has_page = scenario in ON_A_PAGE
    action = CustomerAction(return_url="https://shop.example", wait_seconds=600, hosted=has_page)
    token = None if has_page else instruction.token
    return instruction.model_copy(update={"customer_action": action, "token": token})


def _open_order(world: FaultyWorld, scenario: Scenario, instruction: PaymentInstruction) -> None:
    state = "draft" if scenario is Scenario.REJECTED else PENDING
    world.orders[instruction.order_id] = an_order(instruction, state=state)
    if instruction.reservation_id is not None:
        ends_at = instruction.requested_at + SOON if scenario in LAPSING else None
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


def _leave_attempt(world: FaultyWorld, instruction: PaymentInstruction, state: ChargeState) -> None:
    """Leave a pending row, and its attempt in this state, as a lost run does."""
    request = instruction.charge_request
    charge = Charge(key=request.key, state=state, transaction_id=LOST, reference=LOST)
    world.attempts[LOST] = Attempt(request, charge)
    world.used_keys.add(request.key)
    if state is ChargeState.CAPTURED:
        world.captures.append(request)
    world.payments[instruction.payment_id] = Payment.pending(instruction).referring(LOST)


def _wait(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    _leave_attempt(world, instruction, ChargeState.WAITING)
    pending = world.payments[instruction.payment_id]
    since = instruction.requested_at
    world.payments[pending.id] = pending.waiting(Wait(since=since, until=since + 2 * SOON))


def _capture(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    _leave_attempt(world, instruction, ChargeState.CAPTURED)
    world.forgotten_keys.add(instruction.charge_request.key)


def _capture_and_record(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    _leave_attempt(world, instruction, ChargeState.CAPTURED)
    charged = world.payments[instruction.payment_id].charged(world.attempts[LOST].charge)
    world.payments[charged.id] = charged.succeeded(instruction.requested_at)
    world.transitions[charged.id] = [PaymentStatus.PENDING, PaymentStatus.SUCCEEDED]


def _capture_and_undo(world: FaultyWorld, instruction: PaymentInstruction) -> None:
    _leave_attempt(world, instruction, ChargeState.CAPTURED)
    pending = world.payments[instruction.payment_id]
    world.payments[pending.id] = pending.compensating(WHY)


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
        Scenario.STRIPE_DECLINED: _decline,
        Scenario.STRIPE_UNRECORDABLE: _refuse_success,
        Scenario.STRIPE_CLAIMED: _claim,
        Scenario.STRIPE_OPEN: partial(_leave_attempt, state=ChargeState.OPEN),
        Scenario.STRIPE_AUTHORIZED: partial(_leave_attempt, state=ChargeState.AUTHORIZED),
        Scenario.STRIPE_STALE: _capture,
        Scenario.STRIPE_UNPUBLISHED: _capture_and_record,
        Scenario.STRIPE_UNDONE: _capture_and_undo,
        Scenario.STRIPE_WAITING: _wait,
        Scenario.STRIPE_WAIT_UNRECORDED: partial(_leave_attempt, state=ChargeState.WAITING),
    }
)
