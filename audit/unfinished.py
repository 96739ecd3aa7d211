"""Leaves payments and refunds that are still being processed out of the books."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from audit.books import Books
from audit.invariants import RUNNING
from domain import names
from domain.payment import Payment
from domain.refund import Refund, RefundStatus


def leave_out_young(books: Books, until: datetime, unfinished: AbstractSet[UUID]) -> None:
    """Leave out young payments and refunds, with their effects, records and workflow runs.

    Young means: created or ended at `until` or later, or ended while the books were read.
    `unfinished` has the ids of those that had not ended when the audit began to read. An old
    payment that has not ended stays in the books, even if the customer pays the order again. A
    payment that waits for its customer, and a refund that is pending at its gateway, are left out
    with running workflows.
    """
    subjects: list[Payment | Refund] = [*books.payments, *books.refunds]
    waits = any(_waits(each, until) for each in subjects)
    young = {
        each.id
        for each in subjects
        if _is_young(each, until) or (each.id in unfinished and not is_unfinished(each))
    }
    if any(payment.id in young for payment in books.payments):
        books.order = None  # its state may be due to the young payment
    keys, events = _keys(books, young), _events(young)
    books.effects = [each for each in books.effects if not keys & {each.key, each.charge_key}]
    books.records = [each for each in books.records if each.id not in events]
    books.runs = [
        each
        for each in books.runs
        if (each.started_at is None or each.started_at < until)
        and (each.result is None or each.result.id not in young)
        and not (waits and each.status == RUNNING)
    ]
    books.payments = [each for each in books.payments if each.id not in young]
    books.refunds = [each for each in books.refunds if each.id not in young]


def is_unfinished(each: Payment | Refund) -> bool:
    """Whether it is pending, or its event is not published."""
    if isinstance(each, Payment):
        return not each.is_final or each.is_unannounced
    return not each.is_final or (each.status is RefundStatus.SUCCEEDED and not each.is_announced)


def _is_young(each: Payment | Refund, until: datetime) -> bool:
    if _waits(each, until):
        return True
    return each.created_at >= until or (each.processed_at or each.created_at) >= until


def _waits(each: Payment | Refund, until: datetime) -> bool:
    """Whether its customer or its gateway still has time to act."""
    if isinstance(each, Refund):
        return each.is_pending_at_gateway
    return not each.is_final and each.wait is not None and each.wait.until >= until


def _keys(books: Books, young: AbstractSet[UUID]) -> set[str]:
    """The gateway's keys of young payments and refunds."""
    charges = {names.charge_key(each.id) for each in books.payments if each.id in young}
    return charges | {each.request.key for each in books.refunds if each.id in young}


def _events(young: AbstractSet[UUID]) -> set[str]:
    return {str(names.event_id(each, topic)) for each in young for topic in names.TOPICS}
