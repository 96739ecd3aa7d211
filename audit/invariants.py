"""The invariants: what must be true of every order once its payments have ended.

There is one list for all checks: the tests with faults, the chaos run, the audit in production.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from activities.audit_ports import Effect, Movement, OrderState
from audit.api_responses import (
    no_503_after_a_published_failure,
    responses_stay_true,
    responses_were_true,
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
ORDER_PAID = frozenset({"paid", "fulfilled"})
RUNNING = "running"
COMPLETED = "completed"
RUN_FAILED = frozenset({"failed", "timed_out", "unreadable"})
LEGAL: Mapping[str, Collection[str]] = {before: after for before, after in TRANSITIONS.items()}  # noqa: C416 (its keys are any text)

Invariant = Callable[[Books], Iterator[str]]


class Violation(NamedTuple):
    """An invariant that is not true, and why. `order_id` is None for the service's own books."""

    order_id: UUID | None
    invariant: str
    finding: str


def violations(books: Books) -> list[Violation]:
    """All violations in the books of one order."""
    return [
        Violation(books.order_id, name, finding)
        for name, invariant in INVARIANTS.items()
        for finding in _findings(invariant, books)
    ]


def _findings(invariant: Invariant, books: Books) -> Iterator[str]:
    """What the invariant finds. An error while it compares is a finding too."""
    try:
        yield from invariant(books)
    except Exception as error:  # noqa: BLE001 (one malformed entry must not end the audit)
        yield f"the books cannot be compared ({type(error).__name__})"


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


def _every_effect_is_made_once(books: Books) -> Iterator[str]:
    """Captures and refunds are counted separately: a refund does not hide a second capture."""
    for (movement, key), times in Counter(each[:2] for each in books.effects).items():
        if times > 1:
            yield f"the {movement} under {key} was made {times} times"
    captured = {each.charge_key for each in _effects(books, Movement.CAPTURE)}
    for effect in _effects(books, Movement.REFUND):
        if effect.charge_key not in captured:
            yield f"{effect.charge_key} was never captured, but {effect.amount} of it was refunded"


def _gateway_keeps_what_is_recorded(books: Books) -> Iterator[str]:
    for payment in books.payments:
        wanted = kept_of(payment, books.refunds)
        if payment.is_final and (kept := _net(books, payment)) != wanted:
            yield f"payment {payment.id} is {payment.status}: {kept} is kept instead of {wanted}"


def kept_of(payment: Payment, refunds: Iterable[Refund]) -> int:
    """The amount of the payment that is kept according to PostgreSQL, in minor units."""
    if payment.status is not SUCCEEDED:
        return 0
    refunded = (
        refund.amount.minor_units
        for refund in refunds
        if refund.payment_id == payment.id and refund.is_made
    )
    return payment.amount.minor_units - sum(refunded)


def _every_effect_has_a_row(books: Books) -> Iterator[str]:
    """A capture belongs to a payment; a refund is its compensation, or one that was requested."""
    expected = {
        (names.charge_key(payment.id), make_key(payment.id)): payment.amount
        for payment in books.payments
        for make_key in (names.charge_key, names.refund_key)
    }
    for refund in books.refunds:
        expected[refund.request.charge_key, refund.request.key] = refund.amount
    for effect in books.effects:
        if expected.get((effect.charge_key, effect.key)) != effect.amount:
            yield f"{effect.movement} of {effect.amount} under {effect.key} has no row"


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


def _failures_are_published_if_allowed(books: Books) -> Iterator[str]:
    """A failure of an unverified order is never published; one that had charged always is."""
    for payment in books.payments:
        published = payment.has_event
        if payment.error_code in NEVER_PUBLISHED:
            if published:
                yield f"payment {payment.id}, {payment.error_code}, was published"
        elif payment.is_final and not published and _captured(books, payment) and _is_open(books):
            yield f"payment {payment.id} had charged, but its failure was never published"


def _is_open(books: Books) -> bool:
    """Whether a failure had to be published: only if the order is unpaid and still pending."""
    is_paid = any(each.status is SUCCEEDED for each in books.payments)
    return not is_paid and (books.order is None or books.order.status == PENDING)


def _events_match_the_rows(books: Books) -> Iterator[str]:
    """Every ending has one event with a fixed id. All its copies have the same bytes."""
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
            yield f"event {event_id} on {topic} does not match its row: {value!r}"


def _events(books: Books) -> Iterator[tuple[Event, bool]]:
    """Every event that must have been published, and whether Kafka must still have it."""

    def is_kept(ended_at: datetime | None) -> bool:
        return books.events_since is None or ended_at is None or ended_at >= books.events_since

    for payment in books.payments:
        if payment.status is SUCCEEDED or payment.announcement is Announcement.MADE:
            yield PaymentEvent.of(payment), is_kept(payment.processed_at)
    for refund in books.refunds:
        if refund.status is RefundStatus.SUCCEEDED:
            yield RefundEvent(refund=refund), is_kept(refund.processed_at)


def _every_ending_is_published(books: Books) -> Iterator[str]:
    for payment in books.payments:
        if payment.is_unannounced:
            yield f"the event of payment {payment.id} is not published ({payment.announcement})"
    for refund in books.refunds:
        if refund.status is RefundStatus.SUCCEEDED and not refund.is_announced:
            yield f"the event of refund {refund.id} is not published"


def _results_match_the_rows(books: Books) -> Iterator[str]:
    recorded: dict[UUID, Payment | Refund] = {each.id: each for each in books.payments}
    recorded |= {each.id: each for each in books.refunds}
    for run in books.runs:
        if run.status == RUNNING or run.status in RUN_FAILED:
            yield f"workflow run {run.run_id} is {run.status}"
        elif run.result and run.result.error_code is ErrorCode.REFUND_TOO_LARGE:
            continue  # a refund that was refused at once has no row
        elif run.result and not _is_recorded(run.result, recorded.get(run.result.id)):
            yield f"the result of workflow run {run.run_id} is not the row of {run.result.id}"


def _is_recorded(ending: Payment | Refund, recorded: Payment | Refund | None) -> bool:
    """Whether the result of a run is the row. A later run may have published its event.

    The last step of a lost run may have recorded a reference, which no other run knows.
    """
    if isinstance(ending, Payment) and isinstance(recorded, Payment):
        if ending.is_unannounced:
            ending = ending.announced(recorded.announcement)
        if ending.gateway_reference is None:
            known = {"gateway_reference": recorded.gateway_reference}
            ending = ending.model_copy(update=known)
    if isinstance(recorded, Refund):
        recorded = recorded.model_copy(update={"failed_later_at": None})
    return ending == recorded


def _ordering_has_the_payment(books: Books) -> Iterator[str]:
    if books.order is None:
        return
    paid_by = [each.id for each in books.payments if each.status is SUCCEEDED]
    if paid_by and not _is_paid(books.order, paid_by[0]):
        yield f"payment {paid_by[0]} is kept, but the order is {books.order.status}"
    if not paid_by and books.order.status == "paid" and books.order.paid_by is not None:
        yield f"no payment is kept, but the order is paid by {books.order.paid_by}"


def _is_paid(order: OrderState, payment_id: UUID) -> bool:
    return order.status in ORDER_PAID and order.paid_by in {None, payment_id}


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
        "every effect is made once": _every_effect_is_made_once,
        "every effect has a row": _every_effect_has_a_row,
        "the gateway keeps what is recorded": _gateway_keeps_what_is_recorded,
        "no more is refunded than captured": _no_more_is_refunded_than_captured,
        "transitions are legal": _transitions_are_legal,
        "failures are published if allowed": _failures_are_published_if_allowed,
        "events match the rows": _events_match_the_rows,
        "every ending is published": _every_ending_is_published,
        "results of workflows match the rows": _results_match_the_rows,
        "responses were true": responses_were_true,
        "responses stay true": responses_stay_true,
        "no 503 after a published failure": no_503_after_a_published_failure,
        "Ordering has the payment": _ordering_has_the_payment,
    }
)
