"""The state that the fakes of all ports share, and the errors that a test lets them raise.

Each fake adds the operation to `World.calls`. To make an operation fail, a test sets a callable
that raises: in `World.before` it is awaited before the effect, in `World.after` after it.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from temporalio import activity

from domain.dispute import FoundDispute
from domain.errors import ErrorCode, PaymentError
from domain.events import Event
from domain.gateway import ENDED, Charge, ChargeRequest, ChargeState, RefundRequest, RefundState
from domain.instruction import PaymentInstruction
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from domain.timeline import MAX_RUNS
from domain.verification import Order, Reservation

if TYPE_CHECKING:
    from tests.support.fakes.opening_gateway import Attempt

Fault = Callable[[], Awaitable[None]]
Result = TypeVar("Result")

REFUNDED = ["refund", "record_failed", "payment-failed", "record_announcement"]
"""The calls that undo a charge."""

CAPTURED = Charge(
    key="",
    state=ChargeState.CAPTURED,
    transaction_id="txn_0123456789abcdef",
    is_simulated=True,
    simulated_response="Success - TransactionId: txn_0123456789abcdef",
)

UNAVAILABLE = {
    "fetch_order": ErrorCode.ORDERING_UNAVAILABLE,
    "fetch_reservation": ErrorCode.INVENTORY_UNAVAILABLE,
    "unfinished_before": ErrorCode.DATABASE_UNAVAILABLE,
    "find_payment": ErrorCode.DATABASE_UNAVAILABLE,
    "record_pending": ErrorCode.DATABASE_UNAVAILABLE,
    "token_of": ErrorCode.SERVICE_UNAVAILABLE,
    "open_charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "authorize": ErrorCode.GATEWAY_UNAVAILABLE,
    "capture": ErrorCode.GATEWAY_UNAVAILABLE,
    "charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "find_charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "void_charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "refund": ErrorCode.GATEWAY_UNAVAILABLE,
    "find_dispute": ErrorCode.GATEWAY_UNAVAILABLE,
    "find_refund": ErrorCode.GATEWAY_UNAVAILABLE,
    "can_still_refund": ErrorCode.GATEWAY_UNAVAILABLE,
    "record_refund": ErrorCode.DATABASE_UNAVAILABLE,
    "record_refund_ended": ErrorCode.DATABASE_UNAVAILABLE,
    "record_refund_announced": ErrorCode.DATABASE_UNAVAILABLE,
    "record_refund_reference": ErrorCode.DATABASE_UNAVAILABLE,
    "record_refund_failed_later": ErrorCode.DATABASE_UNAVAILABLE,
    "payment-refunded": ErrorCode.EVENTS_UNAVAILABLE,
    "record_reference": ErrorCode.DATABASE_UNAVAILABLE,
    "record_wait": ErrorCode.DATABASE_UNAVAILABLE,
    "record_succeeded": ErrorCode.DATABASE_UNAVAILABLE,
    "record_compensation": ErrorCode.DATABASE_UNAVAILABLE,
    "record_unsent": ErrorCode.DATABASE_UNAVAILABLE,
    "record_failed": ErrorCode.DATABASE_UNAVAILABLE,
    "record_announcement": ErrorCode.DATABASE_UNAVAILABLE,
    "payment-succeeded": ErrorCode.EVENTS_UNAVAILABLE,
    "payment-failed": ErrorCode.EVENTS_UNAVAILABLE,
}


class World:
    """The state of all fakes, and the calls that they got."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: dict[str, Fault] = {}
        self.after: dict[str, Fault] = {}
        self.orders: dict[UUID, Order] = {}
        self.reservations: dict[UUID, Reservation] = {}
        self.charges: dict[str, Charge] = {}
        self.forgotten_keys: set[str] = set()
        """Idempotency keys that the gateway has forgotten. The charge can still be looked up, but a
        repeated request captures again."""
        self.broken: list[str] = []
        """Descriptions of acts that are never allowed, whatever fails."""
        self.tokens: dict[UUID, str] = {}
        """The token in the input of each payment's workflow."""
        self.captures: list[ChargeRequest] = []
        self.refunds: list[RefundRequest] = []
        """The refunds that the gateway has made."""
        self.events: list[Event] = []
        self.resumed: list[Payment | Refund] = []
        self.completed_rounds = 0
        self.decline: Charge | None = None
        self.unrecordable = False
        self.replays_first_answer = True
        """Whether a repeated charge request gets the first response again, or the present state."""
        self.allows_another_attempt = False
        """Whether an order may be paid after a failure of it was published."""
        self._have_records()
        self._have_attempts()

    def _have_records(self) -> None:
        """Set the initial state of PostgreSQL."""
        self.requested_refunds: dict[UUID, Refund] = {}
        """The refunds that callers requested, as they are recorded."""
        self.payments: dict[UUID, Payment] = {}
        self.transitions: dict[UUID, list[PaymentStatus]] = defaultdict(list)
        self.runs: dict[UUID, list[str]] = defaultdict(list)
        """The recorded runs of each payment and each requested refund, the newest first."""

    def _have_attempts(self) -> None:
        """Set the initial state of the gateway that opens."""
        self.attempts: dict[str, Attempt] = {}
        """The attempts at the gateway that opens, by reference."""
        self.disputes: dict[str, FoundDispute] = {}
        """The disputes of our payments there, by reference."""
        self.bank_asks = False
        """Whether the card's bank wants to ask the customer of each new charge there."""
        self.used_keys: set[str] = set()
        """Idempotency keys with which the gateway that opens was asked to charge."""
        self.refund_states: dict[str, tuple[RefundRequest, RefundState]] = {}
        """The refunds at the gateway that opens, by key."""
        self.next_refund = RefundState.SUCCEEDED
        """The state of the next refund at the gateway that opens."""

    async def perform(self, operation: str, effect: Callable[[], Result]) -> Result:
        """Run the effect. A fault may prevent it, or lose its response."""
        self.calls.append(operation)
        if fault := self.before.get(operation):
            await fault()
        result = effect()
        if fault := self.after.get(operation):
            await fault()
        return result

    def add_run(self, subject: UUID, run_id: str | None) -> None:
        """Record a run of a payment or of a requested refund."""
        if run_id and run_id not in self.runs[subject]:
            self.runs[subject] = [run_id, *self.runs[subject]][:MAX_RUNS]

    def lose_after_capture(self, instruction: PaymentInstruction) -> None:
        """Set the state that a run leaves if it is terminated after the charge."""
        self.payments[instruction.payment_id] = Payment.pending(instruction)
        charge = instruction.charge_request
        self.charges[charge.key] = CAPTURED.model_copy(update={"key": charge.key})
        self.captures.append(charge)

    def lose_after_success(self, instruction: PaymentInstruction) -> None:
        """Set the state that a run leaves if it is terminated after recording the success."""
        self.lose_after_capture(instruction)
        payment = self.payments[instruction.payment_id].charged(CAPTURED)
        success = payment.succeeded(instruction.requested_at)
        self.payments[payment.id] = success
        self.transitions[payment.id] = [PaymentStatus.PENDING, PaymentStatus.SUCCEEDED]

    def settle_refund(self, key: str, state: RefundState) -> None:
        """Give a refund at the gateway that opens this state. One that succeeded may still fail."""
        request, _ = self.refund_states[key]
        self.refund_states[key] = (request, state)
        self.refunds = [each for each in self.refunds if each.key != key]
        if state is RefundState.SUCCEEDED:
            self.refunds.append(request)

    def is_live(self, reference: str) -> bool:
        """Whether somebody must still void or capture the attempt at the gateway that opens.

        No money can move in an open one, or in one whose page nobody was shown.
        """
        state = self.attempts[reference].charge.state
        if state is ChargeState.WAITING and reference.startswith("cs_"):
            return self.is_shown(reference)
        return state is not ChargeState.OPEN and state not in ENDED

    def is_shown(self, reference: str) -> bool:
        """Whether the API may have told the customer where to act."""
        return any(
            each.gateway_reference == reference and each.wait for each in self.payments.values()
        )

    @property
    def net_minor_units(self) -> int:
        """The captured amount minus the refunded amount."""
        return sum_of(self.captures) - sum_of(self.refunds)

    @property
    def topics(self) -> list[str]:
        """The topics of the distinct events, in the order of their first publication."""
        return list({event.id: event.topic for event in self.events}.values())

    def down(self, operation: str) -> Fault:
        """A fault: the operation fails with an unknown outcome, as if its system were down."""

        async def fail() -> None:
            raise PaymentError(UNAVAILABLE[operation], f"{operation} does not answer.")

        return fail

    def down_for(self, operation: str, outage: timedelta) -> Fault:
        """As `down`, until `outage` has passed since the first try, by the server's clock."""
        ends_at: datetime | None = None
        fail = self.down(operation)

        async def fail_until_then() -> None:
            nonlocal ends_at
            if activity.info().is_local:  # it has no times of the server's clock
                await fail()
            ends_at = ends_at or activity.info().started_time + outage
            if activity.info().started_time < ends_at:
                await fail()

        return fail_until_then

    def times(self, count: int, fault: Fault) -> Fault:
        """The fault, but only the first `count` times."""
        left = count

        async def fail_at_first() -> None:
            nonlocal left
            if left > 0:
                left -= 1
                await fault()

        return fail_at_first


def refusal(code: ErrorCode) -> Fault:
    async def refuse() -> None:
        raise PaymentError(code, f"Refused: {code}.")

    return refuse


def sum_of(requests: Iterable[ChargeRequest | RefundRequest]) -> int:
    return sum(request.amount.minor_units for request in requests)
