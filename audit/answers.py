"""Invariants of what callers were told over HTTP, where that is known: in tests."""

from collections.abc import Iterator
from http import HTTPStatus

from audit.books import Answer, Books
from domain.errors import ErrorCode
from domain.payment import Announcement, Payment, PaymentStatus

DEFINITE = frozenset(
    {
        HTTPStatus.OK,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses that say how a payment has ended. Others say to ask again."""


def is_definite(answer: Answer) -> bool:
    """Whether the answer says how the order's payment has ended."""
    if answer.code == ErrorCode.IDEMPOTENCY_KEY_REUSED:
        return False  # which is about the request, whatever the payment came to
    return answer.status in DEFINITE or answer.code == ErrorCode.PAYMENT_CANCELLED


def answers_were_true(books: Books) -> Iterator[str]:
    recorded = {payment.id: payment for payment in books.payments}
    for answer in books.answers:
        if answer.payment_id is None or answer.payment_status == PaymentStatus.PENDING:
            continue
        payment = recorded.get(answer.payment_id)
        if payment is None or payment.status != answer.payment_status:
            shown = f"payment {answer.payment_id} as {answer.payment_status}"
            yield f"HTTP {answer.status} showed {shown}, which it is not"


def answers_stay_true(books: Books) -> Iterator[str]:
    """Who asks after somebody was told of a success, or of a published failure, hears no other."""
    recorded = {payment.id: payment for payment in books.payments}
    for first in books.answers:
        ended = recorded.get(first.payment_id) if first.payment_id else None
        if ended is None or ended.status != first.payment_status or not _closes_the_order(ended):
            continue
        for later in books.answers:
            if later.asked_at > first.answered_at and not _says_the_same(later, ended):
                said = f"HTTP {later.status} ({later.code}) was answered"
                yield f"{said} after payment {ended.id} was shown as {ended.status}"


def _closes_the_order(payment: Payment) -> bool:
    """Whether no other payment of the order may succeed any more."""
    if payment.status is PaymentStatus.SUCCEEDED:
        return True
    told = payment.announcement is Announcement.MADE or payment.is_unannounced
    return payment.status is PaymentStatus.FAILED and told


def _says_the_same(answer: Answer, ended: Payment) -> bool:
    if not is_definite(answer):
        return True
    if (answer.payment_id, answer.payment_status) == (ended.id, ended.status):
        return True
    failed = ended.status is PaymentStatus.FAILED
    return failed and answer.code == ErrorCode.ORDER_NOT_PENDING


def unavailable_promises_that_nobody_was_told(books: Books) -> Iterator[str]:
    """503 tells a caller to send the same again: only an order that is still open can be paid."""
    recorded = {payment.id: payment for payment in books.payments}
    for answer in books.answers:
        payment = recorded.get(answer.payment_id) if answer.payment_id else None
        if payment is None or answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            continue
        if payment.status is PaymentStatus.FAILED and _closes_the_order(payment):
            yield f"HTTP 503 showed payment {payment.id}, whose failure consumers were told of"
