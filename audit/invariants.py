"""What must hold for every order once its payments have ended, whatever happened on the way.

One list for all who check: the enumeration of faults, the chaos run, and the audit in production.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from activities.audit_ports import Effect, Movement, OrderState
from audit.answers import (
    answers_stay_true,
    answers_were_true,
    unavailable_promises_that_nobody_was_told,
)
from audit.books import Books
from domain import exact_json, names
from domain.errors import NEVER_PUBLISHED, ErrorCode
from domain.events import Event, PaymentEvent, RefundEvent
from domain.payment import TRANSITIONS, Announcement, Payment, PaymentStatus
from domain.reconciliation import overdue
from domain.refund import Refund, RefundStatus
from domain.verification import PENDING

SUCCEEDED = PaymentStatus.SUCCEEDED
PAID = frozenset({"paid", "fulfilled"})
RUNNING = "running"
COMPLETED = "completed"
BROKEN = frozenset({"failed", "timed_out", "unreadable"})
LEGAL: Mapping[str, Collection[str]] = {before: after for before, after in TRANSITIONS.items()}  # noqa: C416 (its keys are any text)

Invariant = Callable[[Books], Iterator[str]]


class Violation(NamedTuple):
    """An invariant that does not hold, and how. `order_id` is None where it concerns no order."""

    order_id: UUID | None
    invariant: str
    finding: str


def violations(books: Books) -> list[Violation]:
    """Everything in which the books of one order do not agree."""
    return [
        Violation(books.order_id, name, finding)
        for name, invariant in INVARIANTS.items()
        for finding in _findings(invariant, books)
    ]


def _findings(invariant: Invariant, books: Books) -> Iterator[str]:
    """What the invariant finds. Records that it cannot even compare are a finding too."""
    try:
        yield from invariant(books)
    except Exception as error:  # noqa: BLE001 (one odd record must not end the audit)
        yield f"the records are too odd to be compared ({type(error).__name__})"


def _everything_can_be_read(books: Books) -> Iterator[str]:
    for what in books.unreadable:
        yield f"cannot be read: {what}"


def _reconciliation_runs(books: Books) -> Iterator[str]:
    if books.reconciliation is not None and (finding := overdue(*books.reconciliation)):
        yield finding


def _everything_has_ended(books: Books) -> Iterator[str]:
    for payment in books.payments:
        if not payment.is_final:
            yield f"payment {payment.id} is {payment.status}"
    for refund in books.refunds:
        if not refund.is_final:
            yield f"refund {refund.id} is {refund.status}"


def _one_payment_is_kept(books: Books) -> Iterator[str]:
    kept = [payment.id for payment in books.payments if payment.status is SUCCEEDED]
    if len(kept) > 1:
        yield f"payments {', '.join(map(str, kept))} have all succeeded"


def _every_effect_is_had_once(books: Books) -> Iterator[str]:
    """Counted gross: a refund does not hide a second capture."""
    for (movement, key), times in Counter(each[:2] for each in books.effects).items():
        if times > 1:
            yield f"the {movement} under {key} was made {times} times"
    captured = {each.charge_key for each in _effects(books, Movement.CAPTURE)}
    for effect in _effects(books, Movement.REFUND):
        if effect.charge_key not in captured:
            yield f"{effect.charge_key} was never captured and {effect.amount} of it refunded"


def _money_is_what_is_recorded(books: Books) -> Iterator[str]:
    for payment in books.payments:
        wanted = kept_of(payment, books.refunds)
        if payment.is_final and (kept := _net(books, payment)) != wanted:
            yield f"of payment {payment.id}, {payment.status}, {kept} is kept instead of {wanted}"


def kept_of(payment: Payment, refunds: Iterable[Refund]) -> int:
    """What is kept of the payment by the records, in minor units."""
    if payment.status is not SUCCEEDED:
        return 0
    refunded = (
        refund.amount.minor_units
        for refund in refunds
        if refund.payment_id == payment.id and refund.status is RefundStatus.SUCCEEDED
    )
    return payment.amount.minor_units - sum(refunded)


def _every_effect_is_somebodys(books: Books) -> Iterator[str]:
    """A capture is a payment's; a refund undoes it whole, or is one that was asked for."""
    expected = {
        (names.charge_key(payment.id), make_key(payment.id)): payment.amount
        for payment in books.payments
        for make_key in (names.charge_key, names.refund_key)
    }
    for refund in books.refunds:
        expected[refund.request.charge_key, refund.request.key] = refund.amount
    for effect in books.effects:
        if expected.get((effect.charge_key, effect.key)) != effect.amount:
            yield f"{effect.movement} of {effect.amount} under {effect.key} is nobody's"


def _no_more_is_refunded_than_captured(books: Books) -> Iterator[str]:
    for payment in books.payments:
        if _net(books, payment) < 0 or kept_of(payment, books.refunds) < 0:
            yield f"more of payment {payment.id} is refunded than was captured"


def _transitions_are_legal(books: Books) -> Iterator[str]:
    for payment in books.payments:
        statuses: Sequence[str] = books.transitions.get(payment.id, (payment.status,))
        path = " → ".join(statuses)
        if any(after not in LEGAL.get(before, ()) for before, after in pairwise(statuses)):
            yield f"payment {payment.id} went {path}"
        if statuses[-1] != payment.status:
            yield f"payment {payment.id} went {path} and is {payment.status}"


def _failures_are_told_where_they_may_be(books: Books) -> Iterator[str]:
    for payment in books.payments:
        told = payment.has_event
        if payment.error_code in NEVER_PUBLISHED:
            if told:
                yield f"payment {payment.id}, {payment.error_code}, was told to consumers"
        elif payment.is_final and not told and _captured(books, payment) and _is_open(books):
            yield f"payment {payment.id} had charged and was never told to consumers"


def _is_open(books: Books) -> bool:
    """Whether consumers had to hear of a failure: not if the order was paid or closed."""
    is_paid = any(each.status is SUCCEEDED for each in books.payments)
    return not is_paid and (books.order is None or books.order.status == PENDING)


def _events_say_what_is_recorded(books: Books) -> Iterator[str]:
    """Each ending's one event with its fixed id, however many copies, the same to the byte."""
    expected = {
        str(event.id): (event.topic, event.key, exact_json.dumps(event.value), is_kept)
        for event, is_kept in _events(books)
    }
    found = {(each.id, each.topic, each.key, each.value) for each in books.records}
    for event_id, (*content, is_kept) in expected.items():
        if is_kept and (event_id, *content) not in found:
            yield f"event {event_id} on {content[0]} is missing"
    for event_id, topic, key, value in found:
        if expected.get(event_id, ())[:3] != (topic, key, value):
            yield f"event {event_id} on {topic} is not what is recorded: {value!r}"


def _events(books: Books) -> Iterator[tuple[Event, bool]]:
    """Every event that was due, and whether Kafka must still have it."""

    def is_kept(ended_at: datetime | None) -> bool:
        return books.events_since is None or ended_at is None or ended_at >= books.events_since

    for payment in books.payments:
        if payment.status is SUCCEEDED or payment.announcement is Announcement.MADE:
            yield PaymentEvent.of(payment), is_kept(payment.processed_at)
    for refund in books.refunds:
        if refund.status is RefundStatus.SUCCEEDED:
            yield RefundEvent(refund=refund), is_kept(refund.processed_at)


def _every_ending_is_announced(books: Books) -> Iterator[str]:
    for payment in books.payments:
        if payment.is_unannounced:
            yield f"the ending of payment {payment.id} is {payment.announcement} to be told"
    for refund in books.refunds:
        if refund.status is RefundStatus.SUCCEEDED and not refund.is_announced:
            yield f"the success of refund {refund.id} is to be told"


def _runs_have_ended_as_recorded(books: Books) -> Iterator[str]:
    recorded: dict[UUID, Payment | Refund] = {each.id: each for each in books.payments}
    recorded |= {each.id: each for each in books.refunds}
    for run in books.runs:
        if run.status == RUNNING or run.status in BROKEN:
            yield f"workflow run {run.run_id} is {run.status}"
        elif run.result and run.result.error_code is ErrorCode.REFUND_TOO_LARGE:
            continue  # which leaves no record
        elif run.result and not _is_recorded(run.result, recorded.get(run.result.id)):
            yield f"workflow run {run.run_id} ended otherwise than recorded of {run.result.id}"


def _is_recorded(ending: Payment | Refund, recorded: Payment | Refund | None) -> bool:
    """Whether this is the record. An event that a run has left to a later one may be out by now."""
    if isinstance(ending, Payment) and isinstance(recorded, Payment) and ending.is_unannounced:
        return ending.announced(recorded.announcement) == recorded
    return ending == recorded


def _ordering_has_heard(books: Books) -> Iterator[str]:
    if books.order is None:
        return
    paid_by = [each.id for each in books.payments if each.status is SUCCEEDED]
    if paid_by and not _is_paid(books.order, paid_by[0]):
        yield f"payment {paid_by[0]} is kept, and the order is {books.order.status}"
    if not paid_by and books.order.status == "paid" and books.order.paid_by is not None:
        yield f"no payment is kept, and the order is paid by {books.order.paid_by}"


def _is_paid(order: OrderState, payment_id: UUID) -> bool:
    return order.status in PAID and order.paid_by in {None, payment_id}


def _effects(books: Books, movement: Movement) -> Iterable[Effect]:
    return (effect for effect in books.effects if effect.movement is movement)


def _captured(books: Books, payment: Payment) -> bool:
    key = names.charge_key(payment.id)
    return any(effect.charge_key == key for effect in _effects(books, Movement.CAPTURE))


def _net(books: Books, payment: Payment) -> int:
    key = names.charge_key(payment.id)
    moved = (each for each in books.effects if each.charge_key == key)
    return sum(each.sign * each.amount.minor_units for each in moved)


INVARIANTS: Mapping[str, Invariant] = MappingProxyType(
    {
        "everything can be read": _everything_can_be_read,
        "the reconciliation runs": _reconciliation_runs,
        "every payment and refund has ended": _everything_has_ended,
        "one payment is kept": _one_payment_is_kept,
        "every effect is had once": _every_effect_is_had_once,
        "every effect is somebody's": _every_effect_is_somebodys,
        "money is what is recorded": _money_is_what_is_recorded,
        "no more is refunded than captured": _no_more_is_refunded_than_captured,
        "transitions are legal": _transitions_are_legal,
        "failures are told where they may be": _failures_are_told_where_they_may_be,
        "events say what is recorded": _events_say_what_is_recorded,
        "every ending is announced": _every_ending_is_announced,
        "workflows have ended as recorded": _runs_have_ended_as_recorded,
        "answers were true": answers_were_true,
        "answers stay true": answers_stay_true,
        "503 promises that nobody was told": unavailable_promises_that_nobody_was_told,
        "Ordering has heard": _ordering_has_heard,
    }
)
