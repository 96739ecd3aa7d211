"""Fakes of all ports, in memory. They keep the rules of the real systems, and can be made to fail.

Each fake adds the operation to `World.calls`. To make an operation fail, a test sets a callable
that raises: in `World.before` it is awaited before the effect, in `World.after` after it.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from temporalio import activity

from activities.ports import (
    EventPublisher,
    Inventory,
    Ordering,
    PaymentGateway,
    Payments,
    Ports,
    Refunds,
    Rounds,
    WorkflowStarter,
)
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.events import Event
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest, RefundState
from domain.money import Money
from domain.names import TOPICS
from domain.payment import (
    TRANSITIONS,
    Announcement,
    Claim,
    Payment,
    PaymentInstruction,
    PaymentStatus,
)
from domain.reconciliation import RowPosition
from domain.refund import Refund, RefundStatus
from domain.verification import Order, Reservation

LARGEST_EVENT = 1_048_000
"""In bytes. A producer of aiokafka sends at most 1 MiB at a time, including the headers."""

Fault = Callable[[], Awaitable[None]]
Result = TypeVar("Result")
Unfinished = TypeVar("Unfinished", Payment, Refund)

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
    "charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "find_charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "void_charge": ErrorCode.GATEWAY_UNAVAILABLE,
    "refund": ErrorCode.GATEWAY_UNAVAILABLE,
    "find_refund": ErrorCode.GATEWAY_UNAVAILABLE,
    "can_still_refund": ErrorCode.GATEWAY_UNAVAILABLE,
    "record_refund": ErrorCode.DATABASE_UNAVAILABLE,
    "record_refund_ended": ErrorCode.DATABASE_UNAVAILABLE,
    "record_refund_announced": ErrorCode.DATABASE_UNAVAILABLE,
    "payment-refunded": ErrorCode.EVENTS_UNAVAILABLE,
    "record_succeeded": ErrorCode.DATABASE_UNAVAILABLE,
    "record_compensation": ErrorCode.DATABASE_UNAVAILABLE,
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
        self.captures: list[ChargeRequest] = []
        self.refunds: list[RefundRequest] = []
        """The refunds that the gateway has made."""
        self.asked_refunds: dict[UUID, Refund] = {}
        """The refunds that callers requested, as they are recorded."""
        self.payments: dict[UUID, Payment] = {}
        self.transitions: dict[UUID, list[PaymentStatus]] = defaultdict(list)
        self.events: list[Event] = []
        self.resumed: list[Payment | Refund] = []
        self.completed_rounds = 0
        self.decline: Charge | None = None
        self.unrecordable = False
        self.replays_first_answer = True
        """Whether a repeated charge request gets the first response again, or the present state."""
        self.allows_another_attempt = False
        """Whether an order may be paid after a failure of it was published."""

    async def perform(self, operation: str, effect: Callable[[], Result]) -> Result:
        """Run the effect. A fault may prevent it, or lose its response."""
        self.calls.append(operation)
        if fault := self.before.get(operation):
            await fault()
        result = effect()
        if fault := self.after.get(operation):
            await fault()
        return result

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

    @property
    def net_minor_units(self) -> int:
        """The captured amount minus the refunded amount."""
        return _sum(self.captures) - _sum(self.refunds)

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


def _sum(requests: Iterable[ChargeRequest | RefundRequest]) -> int:
    return sum(request.amount.minor_units for request in requests)


class FakeOrdering(Ordering):
    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch_order(self, order_id: UUID) -> Order:
        return await self._world.perform("fetch_order", lambda: self._find(order_id))

    def _find(self, order_id: UUID) -> Order:
        if order_id not in self._world.orders:
            raise PaymentError(ErrorCode.ORDER_NOT_FOUND, "Order not found.")
        return self._world.orders[order_id]


class FakeInventory(Inventory):
    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        return await self._world.perform("fetch_reservation", lambda: self._find(reservation_id))

    def _find(self, reservation_id: UUID) -> Reservation:
        if reservation_id not in self._world.reservations:
            raise PaymentError(ErrorCode.RESERVATION_NOT_ACTIVE, "There is no such reservation.")
        return self._world.reservations[reservation_id]


class FakeGateway(PaymentGateway):
    def __init__(self, world: World) -> None:
        self._world = world

    async def charge(self, request: ChargeRequest) -> Charge:
        return await self._world.perform("charge", lambda: self._capture(request))

    async def find_charge(self, key: str, amount: Money) -> Charge | None:
        return await self._world.perform("find_charge", lambda: self._present_state(key, amount))

    async def void_charge(self, key: str, amount: Money | None) -> Charge:
        return await self._world.perform("void_charge", lambda: self._void(key, amount))

    async def refund(self, request: RefundRequest) -> RefundState:
        return await self._world.perform("refund", lambda: self._make_refund(request))

    async def find_refund(self, request: RefundRequest) -> RefundState | None:
        return await self._world.perform("find_refund", lambda: self._refund(request))

    async def can_still_refund(self, request: RefundRequest) -> bool:
        return await self._world.perform("can_still_refund", lambda: self._has_left(request))

    def _present_state(self, key: str, amount: Money | None) -> Charge | None:
        """The charge, as the adapter reads it: another amount or a partial refund is an error."""
        captured = {each.amount for each in self._world.captures if each.key == key}
        charge = self._world.charges.get(key)
        is_kept = charge is not None and charge.state is ChargeState.CAPTURED
        is_partly_refunded = is_kept and any(each.charge_key == key for each in self._world.refunds)
        if is_partly_refunded or (captured and amount and captured != {amount}):
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "This is about another amount.")
        return charge

    def _void(self, key: str, amount: Money | None) -> Charge:
        self._world.charges.setdefault(key, Charge(key=key, state=ChargeState.VOIDED))
        charge = self._present_state(key, amount)
        assert charge is not None
        return charge

    def _capture(self, request: ChargeRequest) -> Charge:
        known = self._world.charges.get(request.key)
        if known is not None and request.key not in self._world.forgotten_keys:
            if any(each.key == request.key and each != request for each in self._world.captures):
                raise PaymentError(ErrorCode.PROCESSOR_ERROR, "The key is another charge's.")
            return self._first_response(known)
        charge = self._world.charges[request.key] = self._decide(request)
        if charge.state is ChargeState.CAPTURED:
            self._world.captures.append(request)
        return charge

    def _first_response(self, charge: Charge) -> Charge:
        """The response to a repeated request, which may not show the refund. A look-up does."""
        is_changed = charge.state is ChargeState.REFUNDED
        if not (is_changed and self._world.replays_first_answer):
            return charge
        return charge.model_copy(update={"state": ChargeState.CAPTURED})

    def _decide(self, request: ChargeRequest) -> Charge:
        return (self._world.decline or CAPTURED).model_copy(update={"key": request.key})

    def _refund(self, request: RefundRequest) -> RefundState | None:
        for known in self._world.refunds:
            if known.key == request.key and known != request:
                raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "This is another refund.")
        return RefundState.SUCCEEDED if request in self._world.refunds else None

    def _has_left(self, request: RefundRequest) -> bool:
        if request.charge_key not in self._world.charges:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "There is no such charge.")
        refunded = (each for each in self._world.refunds if each.charge_key == request.charge_key)
        captured = [each for each in self._world.captures if each.key == request.charge_key]
        return _sum(captured[:1]) - _sum(refunded) >= request.amount.minor_units

    def _make_refund(self, request: RefundRequest) -> RefundState:
        if known := self._refund(request):
            return known
        if request.charge_key not in self._world.charges or not self._has_left(request):
            raise PaymentError(ErrorCode.REFUND_REFUSED, "Too little is left to refund.")
        self._world.refunds.append(request)
        charge = self._world.charges[request.charge_key]
        if self._is_refunded(request.charge_key):
            charge = charge.model_copy(update={"state": ChargeState.REFUNDED})
        self._world.charges[request.charge_key] = charge
        return RefundState.SUCCEEDED

    def _is_refunded(self, key: str) -> bool:
        captured = (each for each in self._world.captures if each.key == key)
        refunded = (each for each in self._world.refunds if each.charge_key == key)
        return _sum(captured) == _sum(refunded)


class FakePayments(Payments):
    def __init__(self, world: World) -> None:
        self._world = world

    async def find(self, payment_id: UUID) -> Payment | None:
        return await self._world.perform(
            "find_payment", lambda: self._world.payments.get(payment_id)
        )

    async def record_pending(self, payment: Payment) -> Claim:
        return await self._world.perform("record_pending", lambda: self._claim(payment))

    async def record_succeeded(self, payment: Payment) -> None:
        await self._world.perform("record_succeeded", lambda: self._succeed(payment))

    async def record_compensation(self, payment: Payment) -> Payment:
        return await self._world.perform("record_compensation", lambda: self._undo(payment))

    async def record_failed(self, payment: Payment) -> None:
        await self._world.perform("record_failed", lambda: self._move(payment))

    async def record_announcement(self, payment: Payment) -> None:
        await self._world.perform("record_announcement", lambda: self._announce(payment))

    async def pending_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        await self._world.perform("unfinished_before", lambda: None)
        pending = [each for each in self._world.payments.values() if not each.is_final]
        for page in _pages(pending, moment, after):
            yield page

    async def unpublished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        unpublished = [each for each in self._world.payments.values() if each.is_unannounced]
        for page in _pages(unpublished, moment, after):
            yield page

    def _claim(self, payment: Payment) -> Claim:
        of_the_order = [
            each for each in self._world.payments.values() if each.order_id == payment.order_id
        ]
        for other in of_the_order:
            if other.status is not PaymentStatus.FAILED:
                if other.id != payment.id and not other.is_final:
                    raise PaymentError(ErrorCode.PAYMENT_IN_PROGRESS, "Another payment runs.")
                return Claim.of(other, is_new=False)
        if payment.id in self._world.payments:
            return Claim.of(self._world.payments[payment.id], is_new=False)
        for other in of_the_order:
            is_published = other.announcement is Announcement.MADE
            if other.closes_its_order and not (is_published and self._world.allows_another_attempt):
                is_own = other.customer_id == payment.customer_id
                code = ErrorCode.ORDER_NOT_PENDING if is_own else ErrorCode.CUSTOMER_MISMATCH
                raise PaymentError(code, "A failure has closed the order.")
        return Claim.of(self._move(payment), is_new=True)

    def _undo(self, payment: Payment) -> Payment:
        recorded = self._world.payments.get(payment.id)
        if recorded is None:
            return payment
        if not recorded.is_irrevocable and recorded.compensation is None:
            recorded = recorded.model_copy(update={"compensation": payment.compensation})
            self._world.payments[payment.id] = recorded
        return recorded

    def _succeed(self, payment: Payment) -> None:
        if self._world.unrecordable or payment.id not in self._world.payments:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "No success can be recorded.")
        self._move(payment)

    def _move(self, payment: Payment) -> Payment:
        if "\\u0000" in payment.model_dump_json():
            raise PaymentError(ErrorCode.RECORD_REFUSED, "PostgreSQL keeps no NUL in a text.")
        recorded = self._world.payments.get(payment.id)
        if recorded is not None:
            if recorded.status is payment.status:
                return recorded
            is_undone = recorded.compensation is not None
            if is_undone and payment.status is PaymentStatus.SUCCEEDED:
                raise PaymentError(ErrorCode.RECORD_REFUSED, "The payment is being undone.")
            if payment.status not in TRANSITIONS[recorded.status] or recorded.is_irrevocable:
                raise PaymentError(ErrorCode.RECORD_REFUSED, "This transition is not allowed.")
        self._world.payments[payment.id] = payment
        self._world.transitions[payment.id].append(payment.status)
        return payment

    def _announce(self, payment: Payment) -> None:
        recorded = self._world.payments[payment.id]
        is_final = recorded.announcement in {Announcement.MADE, payment.announcement}
        is_undone = (
            recorded.compensation is not None and recorded.status is not PaymentStatus.FAILED
        )
        if recorded.status is not payment.status or is_final or is_undone:
            return
        announced = recorded.announced(payment.announcement)
        self._world.payments[payment.id] = announced.releasing(payment.released_reservation_id)


class FakeRefunds(Refunds):
    def __init__(self, world: World) -> None:
        self._world = world

    async def record_pending(self, refund: Refund) -> Refund:
        return await self._world.perform("record_refund", lambda: self._reserve(refund))

    async def record_ended(self, refund: Refund) -> None:
        await self._world.perform("record_refund_ended", lambda: self._end(refund))

    async def record_announced(self, refund: Refund) -> None:
        await self._world.perform("record_refund_announced", lambda: self._announce(refund))

    async def unfinished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Refund]]:
        unfinished = [
            each
            for each in self._world.asked_refunds.values()
            if each.status is not RefundStatus.FAILED and not each.is_announced
        ]
        for page in _pages(unfinished, moment, after):
            yield page

    def _reserve(self, refund: Refund) -> Refund:
        requested = self._world.asked_refunds
        others = (
            each.amount.minor_units
            for each in requested.values()
            if each.payment_id == refund.payment_id
            and each.id != refund.id
            and each.status is not RefundStatus.FAILED
        )
        payment = self._world.payments[refund.payment_id]
        is_kept = payment.as_shown_to_callers.status is PaymentStatus.SUCCEEDED
        captured = payment.amount.minor_units if is_kept else 0
        if sum(others) + refund.amount.minor_units > captured:
            raise PaymentError(ErrorCode.REFUND_TOO_LARGE, "The refund is more than what is left.")
        return requested.setdefault(refund.id, refund.model_copy(update={"is_unsent": False}))

    def _end(self, refund: Refund) -> None:
        recorded = self._world.asked_refunds[refund.id]
        if recorded.is_final and recorded.status is not refund.status:
            raise PaymentError(ErrorCode.RECORD_REFUSED, "The refund has ended.")
        if not recorded.is_final:
            self._world.asked_refunds[refund.id] = refund.model_copy(update={"is_unsent": False})

    def _announce(self, refund: Refund) -> None:
        recorded = self._world.asked_refunds[refund.id]
        self._world.asked_refunds[refund.id] = recorded.announced()


def _pages(
    unfinished: Iterable[Unfinished], moment: datetime, after: RowPosition | None
) -> Iterator[Sequence[Unfinished]]:
    """Pages of two, oldest first."""
    places = {RowPosition(each.created_at, each.id): each for each in unfinished}
    wanted = [
        places[place]
        for place in sorted(places)
        if place.created_at < moment and (after is None or place > after)
    ]
    for start in range(0, len(wanted), 2):
        yield wanted[start : start + 2]


class FakeWorkflowStarter(WorkflowStarter):
    """Records the payments and refunds that are resumed."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def resume(self, payment: Payment) -> bool:
        await self._world.perform("resume", lambda: self._world.resumed.append(payment))
        return True

    async def resume_refund(self, refund: Refund) -> bool:
        await self._world.perform("resume", lambda: self._world.resumed.append(refund))
        return True


class FakeRounds(Rounds):
    def __init__(self, world: World) -> None:
        self._world = world

    async def record_completed(self) -> None:
        self._world.completed_rounds += 1


class FakePublisher(EventPublisher):
    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(self, event: Event) -> None:
        await self._world.perform(event.topic, lambda: self._take(event))

    def _take(self, event: Event) -> None:
        if event.topic not in TOPICS:
            raise PaymentError(ErrorCode.EVENT_REFUSED, f"There is no topic {event.topic}.")
        if len(exact_json.dumps(event.value)) > LARGEST_EVENT:
            raise PaymentError(ErrorCode.EVENT_REFUSED, "The event is too large.")
        self._world.events.append(event)


def ports_of(world: World, workflows: WorkflowStarter | None = None) -> Ports:
    return Ports(
        ordering=FakeOrdering(world),
        inventory=FakeInventory(world),
        gateway=FakeGateway(world),
        payments=FakePayments(world),
        refunds=FakeRefunds(world),
        publisher=FakePublisher(world),
        workflows=workflows or FakeWorkflowStarter(world),
        rounds=FakeRounds(world),
    )
