"""Which failures must be published, and how a run's result may differ from its row."""

import pytest

from activities.audit_ports import Effect, Movement, OrderState
from audit.books import Books, WorkflowRun
from audit.invariants import violations
from domain import names
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement, Payment
from tests.support.builders import NOON, a_payment
from tests.unit.audit.test_unfinished import books_of as books_of_success
from tests.unit.audit.test_unfinished import record_of

REFUSED = PaymentError(ErrorCode.RECORD_REFUSED, "The success could not be recorded.")


def a_failure(announcement: Announcement = Announcement.NONE) -> Payment:
    return a_payment().failed(REFUSED, NOON, announcement)


def refunded_books(failure: Payment, order: OrderState | None) -> Books:
    key = names.charge_key(failure.id)
    return Books(
        failure.order_id,
        payments=[failure],
        effects=[
            Effect(Movement.CAPTURE, key, key, failure.amount),
            Effect(Movement.REFUND, names.refund_key(failure.id), key, failure.amount),
        ],
        order=order,
    )


@pytest.mark.parametrize("status", ["cancelled", "paid", "fulfilled", "draft"])
def test_a_failure_need_not_be_published_if_its_order_is_not_pending(status: str) -> None:
    assert violations(refunded_books(a_failure(), OrderState(status, None))) == []


@pytest.mark.parametrize("order", [OrderState("pending", None), None])
def test_a_refunded_failure_of_a_pending_order_must_be_published(order: OrderState | None) -> None:
    assert "was never published" in str(violations(refunded_books(a_failure(), order)))


def test_a_failure_need_not_be_published_if_another_payment_paid_the_order() -> None:
    success = a_payment().succeeded(NOON).announced()
    books = refunded_books(a_failure().model_copy(update={"order_id": success.order_id}), None)
    paid = books_of_success(success)
    books.order_id = success.order_id
    books.payments += paid.payments
    books.effects += paid.effects
    books.records += paid.records

    assert violations(books) == []


def test_a_run_may_leave_its_event_to_a_later_one() -> None:
    failure = a_failure(Announcement.MADE)
    books = refunded_books(failure, None)
    books.records = [record_of(PaymentEvent.of(failure))]
    left = failure.announced(Announcement.BEGUN)
    books.runs = [
        WorkflowRun("left", "completed", left),
        WorkflowRun("later", "completed", failure),
    ]

    assert violations(books) == []


def test_a_run_with_another_result_is_a_finding() -> None:
    failure = a_failure(Announcement.MADE)
    books = refunded_books(failure, None)
    books.records = [record_of(PaymentEvent.of(failure))]
    for other in (
        failure.announced(Announcement.NONE),
        failure.announced(Announcement.BEGUN).model_copy(update={"processed_at": None}),
    ):
        books.runs = [WorkflowRun("run", "completed", other)]

        assert "is not the row of" in str(violations(books))
