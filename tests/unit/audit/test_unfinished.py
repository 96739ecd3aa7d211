"""The audit leaves out what is still being processed, with all that belongs to it and no more."""

from datetime import datetime, timedelta

import pytest

from activities.audit_ports import Effect, Movement, OrderState, Record
from audit.books import Books, WorkflowRun
from audit.invariants import violations
from audit.unfinished import leave_out_young
from domain import exact_json, names
from domain.customer_action import Wait
from domain.events import Event, PaymentEvent, RefundEvent
from domain.payment import Announcement, Payment
from tests.support.builders import NOON, a_payment, a_refund

UNTIL = NOON + timedelta(hours=1)
LATER = UNTIL + timedelta(seconds=1)


def record_of(event: Event) -> Record:
    return Record(str(event.id), event.topic, event.key, exact_json.dumps(event.value))


def books_of(payment: Payment) -> Books:
    """Books that agree about a payment that has succeeded."""
    key = names.charge_key(payment.id)
    return Books(
        payment.order_id,
        payments=[payment],
        effects=[Effect(Movement.CAPTURE, key, key, payment.amount)],
        records=[record_of(PaymentEvent.of(payment))],
        runs=[WorkflowRun("run", "completed", payment, payment.created_at)],
        order=OrderState("paid", payment.id),
    )


@pytest.fixture
def payment() -> Payment:
    return a_payment().succeeded(NOON).announced()


@pytest.fixture
def books(payment: Payment) -> Books:
    books = books_of(payment)
    assert violations(books) == []
    return books


def test_what_has_ended_before_stays(books: Books) -> None:
    leave_out_young(books, UNTIL, set())

    assert violations(books) == []
    assert len(books.payments) == len(books.effects) == len(books.records) == len(books.runs) == 1


@pytest.mark.parametrize("changes", [{"created_at": LATER}, {"processed_at": LATER}])
def test_a_young_payment_goes_with_all_that_belongs_to_it(
    payment: Payment, changes: dict[str, object]
) -> None:
    books = books_of(payment.model_copy(update=changes))

    leave_out_young(books, UNTIL, set())

    assert books.is_empty
    assert books.order is None


def test_what_ended_while_the_books_were_read_is_left_out(books: Books, payment: Payment) -> None:
    leave_out_young(books, UNTIL, {payment.id})

    assert books.is_empty


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN])
def test_what_has_not_ended_stays(payment: Payment, announcement: Announcement) -> None:
    for unfinished in (a_payment(), payment.announced(announcement)):
        books = Books(unfinished.order_id, payments=[unfinished])

        leave_out_young(books, UNTIL, {unfinished.id})

        assert books.payments == [unfinished]


def test_a_young_refund_leaves_its_older_payment(books: Books, payment: Payment) -> None:
    refund = a_refund(payment, created_at=LATER).succeeded(LATER).announced()
    books.refunds.append(refund)
    request = refund.request
    books.effects.append(Effect(Movement.REFUND, request.key, request.charge_key, refund.amount))
    books.records.append(record_of(RefundEvent(refund=refund)))

    leave_out_young(books, UNTIL, set())

    assert books.refunds == []
    assert books.payments == [payment]
    assert violations(books) == []


def test_a_refund_that_is_pending_at_its_gateway_is_left_out(
    books: Books, payment: Payment
) -> None:
    refund = a_refund(payment)
    running = WorkflowRun("refunding", "running", None, NOON)
    books.runs.append(running)

    books.refunds = [refund]
    leave_out_young(books, UNTIL, {refund.id})
    assert violations(books) != []

    books.refunds = [refund.referring("re_1")]
    leave_out_young(books, UNTIL, {refund.id})
    assert violations(books) == []


@pytest.mark.parametrize(("until", "is_left_out"), [(UNTIL, True), (NOON, False)])
def test_a_payment_is_left_out_as_long_as_it_waits_for_its_customer(
    until: datetime, *, is_left_out: bool
) -> None:
    payment = a_payment().waiting(Wait(since=NOON, until=until))
    books = Books(payment.order_id, payments=[payment], effects=[], records=[], runs=[])
    books.runs = [WorkflowRun("run", "running", None, NOON)]

    leave_out_young(books, UNTIL, {payment.id})

    assert (violations(books) == []) is is_left_out


def test_a_young_run_is_left_out(books: Books) -> None:
    books.runs.append(WorkflowRun("new", "running", None, LATER))

    leave_out_young(books, UNTIL, set())

    assert violations(books) == []


def test_books_that_cannot_be_compared_are_a_finding(books: Books, payment: Payment) -> None:
    books.payments = [payment.model_copy(update={"processed_at": None})]

    assert "the books cannot be compared" in str(violations(books))
