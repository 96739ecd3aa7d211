"""Invariants of the responses that callers of the API received. Only tests know the responses."""

from collections.abc import Iterator
from http import HTTPStatus

from audit.books import ApiResponse, Books
from domain.errors import ErrorCode
from domain.payment import Payment, PaymentStatus

DEFINITE = frozenset(
    {
        HTTPStatus.OK,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses of responses that say how a payment ended. After any other, the caller asks again."""


def is_definite(response: ApiResponse) -> bool:
    """Whether the response says how the order's payment ended."""
    if response.code == ErrorCode.IDEMPOTENCY_KEY_REUSED:
        return False  # it is about the request, not about the payment
    return response.status in DEFINITE or response.code == ErrorCode.PAYMENT_CANCELLED


def responses_were_true(books: Books) -> Iterator[str]:
    """A payment that a response showed as ended has that status in PostgreSQL."""
    recorded = {payment.id: payment for payment in books.payments}
    for response in books.responses:
        if response.payment_id is None or response.payment_status == PaymentStatus.PENDING:
            continue
        payment = recorded.get(response.payment_id)
        if payment is None or payment.status != response.payment_status:
            shown = f"payment {response.payment_id} as {response.payment_status}"
            yield f"HTTP {response.status} showed {shown}, but PostgreSQL has another status"


def responses_stay_true(books: Books) -> Iterator[str]:
    """After a response showed a success or a published failure, no later one contradicts it."""
    recorded = {payment.id: payment for payment in books.payments}
    for first in books.responses:
        ended = recorded.get(first.payment_id) if first.payment_id else None
        if ended is None or ended.status != first.payment_status or not _closes_the_order(ended):
            continue
        for later in books.responses:
            if later.sent_at > first.received_at and not _agrees(later, ended):
                response = f"the response was HTTP {later.status} ({later.code})"
                yield f"{response} after payment {ended.id} was shown as {ended.status}"


def _closes_the_order(payment: Payment) -> bool:
    """Whether no other payment of the order may succeed after this one."""
    return payment.status is PaymentStatus.SUCCEEDED or payment.closes_its_order


def _agrees(response: ApiResponse, ended: Payment) -> bool:
    """True if a later response is not definite, or names the same ending of the payment."""
    if not is_definite(response):
        return True
    if (response.payment_id, response.payment_status) == (ended.id, ended.status):
        return True
    failed = ended.status is PaymentStatus.FAILED
    return failed and response.code == ErrorCode.ORDER_NOT_PENDING


def no_503_after_a_published_failure(books: Books) -> Iterator[str]:
    """503 tells a caller to repeat the request, but a published failure closes the order."""
    recorded = {payment.id: payment for payment in books.payments}
    for response in books.responses:
        payment = recorded.get(response.payment_id) if response.payment_id else None
        if payment is None or response.status != HTTPStatus.SERVICE_UNAVAILABLE:
            continue
        if payment.closes_its_order:
            yield f"HTTP 503 showed payment {payment.id}, whose failure was published"
