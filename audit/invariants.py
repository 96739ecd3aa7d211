"""What must hold for every order once its payments have ended, whatever happened on the way.

One list for all who check: the enumeration of faults, the chaos run, and the audit in production.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from audit.books import Books, Effect, Movement, OrderState
from domain import exact_json, names
from domain.errors import ErrorCode
from domain.events import PaymentEvent
from domain.payment import TRANSITIONS, Announcement, Payment, PaymentStatus

UNTOLD = frozenset(
    {
        ErrorCode.ORDER_NOT_FOUND,
        ErrorCode.ORDER_NOT_PENDING,
        ErrorCode.CUSTOMER_MISMATCH,
        ErrorCode.AMOUNT_MISMATCH,
        ErrorCode.CURRENCY_MISMATCH,
        ErrorCode.ORDERING_UNAVAILABLE,
        ErrorCode.PAYMENT_IN_PROGRESS,
    }
)
"""Failures of which no consumer may hear: the order was not seen to be the caller's, or is not."""

SUCCEEDED = PaymentStatus.SUCCEEDED
PAID = frozenset({"paid", "fulfilled"})
RUNNING = "running"
COMPLETED = "completed"
BROKEN = frozenset({"failed", "timed_out"})

Invariant = Callable[[Books], Iterator[str]]


class Violation(NamedTuple):
    """An invariant that does not hold for an order, and how."""

    order_id: UUID
    invariant: str
    finding: str


def violations(books: Books) -> list[Violation]:
    """Everything in which the books of one order do not agree."""
    return [
        Violation(books.order_id, name, finding)
        for name, invariant in INVARIANTS.items()
        for finding in invariant(books)
    ]


def _every_payment_has_ended(books: Books) -> Iterator[str]:
    for payment in books.payments:
        if not payment.is_final:
            yield f"payment {payment.id} is {payment.status}"


def _one_payment_is_kept(books: Books) -> Iterator[str]:
    kept = [payment.id for payment in books.payments if payment.status is SUCCEEDED]
    if len(kept) > 1:
        yield f"payments {', '.join(map(str, kept))} have all succeeded"


def _one_capture_per_payment(books: Books) -> Iterator[str]:
    """Counted gross: a refund does not hide a second capture."""
    captures = Counter(each.charge_key for each in _effects(books, Movement.CAPTURE))
    refunds = Counter(each.charge_key for each in _effects(books, Movement.REFUND))
    for key, times in captures.items():
        if times > 1:
            yield f"{key} was captured {times} times"
    for key, times in refunds.items():
        if times > captures[key] or times > 1:
            yield f"{key} was captured {captures[key]} times and refunded {times} times"


def _money_is_what_the_status_says(books: Books) -> Iterator[str]:
    for payment in books.payments:
        wanted = payment.amount.minor_units if payment.status is SUCCEEDED else 0
        if payment.is_final and (kept := _net(books, payment)) != wanted:
            yield f"of payment {payment.id}, {payment.status}, {kept} is kept instead of {wanted}"


def _every_effect_has_its_payment(books: Books) -> Iterator[str]:
    amounts = {names.charge_key(payment.id): payment.amount for payment in books.payments}
    for effect in books.effects:
        if amounts.get(effect.charge_key) != effect.amount:
            yield f"{effect.movement} of {effect.amount} under {effect.charge_key} is nobody's"


def _transitions_are_legal(books: Books) -> Iterator[str]:
    for payment in books.payments:
        statuses = books.transitions.get(payment.id, (payment.status,))
        path = " → ".join(statuses)
        if any(after not in TRANSITIONS[before] for before, after in pairwise(statuses)):
            yield f"payment {payment.id} went {path}"
        if statuses[-1] is not payment.status:
            yield f"payment {payment.id} went {path} and is {payment.status}"


def _failures_are_told_where_they_may_be(books: Books) -> Iterator[str]:
    for payment in books.payments:
        told = payment.announcement is not Announcement.NONE
        if payment.error_code in UNTOLD:
            if told:
                yield f"payment {payment.id}, {payment.error_code}, was told to consumers"
        elif payment.is_final and not told and _captured(books, payment):
            yield f"payment {payment.id} had charged and was never told to consumers"


def _events_say_what_is_recorded(books: Books) -> Iterator[str]:
    """Each payment's one event with its fixed id, however many copies, the same to the byte."""
    expected: dict[str, tuple[str, str, bytes]] = {}
    for payment in books.payments:
        if payment.status is SUCCEEDED or payment.announcement is Announcement.MADE:
            event = PaymentEvent.of(payment)
            value = exact_json.dumps(event.value)
            expected[str(event.id)] = (event.topic, event.key, value)
    found = {(each.id, each.topic, each.key, each.value) for each in books.records}
    for event_id, content in expected.items():
        if (event_id, *content) not in found:
            yield f"event {event_id} on {content[0]} is missing"
    for event_id, topic, key, value in found:
        if expected.get(event_id) != (topic, key, value):
            yield f"event {event_id} on {topic} is not what is recorded: {value!r}"


def _every_ending_is_announced(books: Books) -> Iterator[str]:
    for payment in books.payments:
        if payment.is_unannounced:
            yield f"the ending of payment {payment.id} is {payment.announcement} to be told"


def _sagas_have_ended_as_recorded(books: Books) -> Iterator[str]:
    recorded = {payment.id: payment for payment in books.payments}
    for saga in books.sagas:
        if saga.status == RUNNING or saga.status in BROKEN:
            yield f"workflow run {saga.run_id} is {saga.status}"
        elif saga.ending and recorded.get(saga.ending.id) != saga.ending:
            yield f"workflow run {saga.run_id} ended otherwise than payment {saga.ending.id}"


def _answers_were_true(books: Books) -> Iterator[str]:
    recorded = {payment.id: payment for payment in books.payments}
    for answer in books.answers:
        if answer.payment_id is None or answer.payment_status == PaymentStatus.PENDING:
            continue
        payment = recorded.get(answer.payment_id)
        if payment is None or payment.status != answer.payment_status:
            shown = f"payment {answer.payment_id} as {answer.payment_status}"
            yield f"HTTP {answer.status} showed {shown}, which it is not"


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
        "every payment has ended": _every_payment_has_ended,
        "one payment is kept": _one_payment_is_kept,
        "one capture per payment": _one_capture_per_payment,
        "money is what the status says": _money_is_what_the_status_says,
        "every effect has its payment": _every_effect_has_its_payment,
        "transitions are legal": _transitions_are_legal,
        "failures are told where they may be": _failures_are_told_where_they_may_be,
        "events say what is recorded": _events_say_what_is_recorded,
        "every ending is announced": _every_ending_is_announced,
        "workflows have ended as recorded": _sagas_have_ended_as_recorded,
        "answers were true": _answers_were_true,
        "Ordering has heard": _ordering_has_heard,
    }
)
