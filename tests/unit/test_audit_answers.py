"""What callers are told must be true, and must stay so for whoever asks later."""

import pytest

from audit.answers import is_definite
from audit.books import Answer, Books
from audit.invariants import violations
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.builders import NOON, a_payment

DECLINE = PaymentError(ErrorCode.CARD_DECLINED, "Declined.")
REFUSED = Answer(400, None, None, ErrorCode.ORDER_NOT_PENDING)
RUNNING = Answer(409, None, None, ErrorCode.PAYMENT_IN_PROGRESS)
REUSED = Answer(422, None, None, ErrorCode.IDEMPOTENCY_KEY_REUSED)
LATER = Answer(503, None, None, ErrorCode.DATABASE_UNAVAILABLE)
PAID = a_payment().succeeded(NOON).announced()
TOLD = a_payment().failed(DECLINE, NOON, Announcement.MADE)
UNTOLD = a_payment().failed(DECLINE, NOON)


def showing(payment: Payment, status: int = 422) -> Answer:
    code = payment.error_code
    return Answer(200 if code is None else status, payment.id, payment.status, code)


def findings(payment: Payment, *answers: Answer) -> str:
    """What is found about answers that were given one after the other."""
    given = [
        answer._replace(asked_at=place, answered_at=place + 0.5)
        for place, answer in enumerate(answers)
    ]
    found = violations(Books(payment.order_id, payments=[payment], answers=given))
    about = ("answers were true", "answers stay true", "503 promises that nobody was told")
    return "\n".join(each.finding for each in found if each.invariant in about)


@pytest.mark.parametrize(
    ("payment", "later"),
    [
        (PAID, showing(PAID)),
        (PAID, RUNNING),
        (PAID, REUSED),
        (PAID, LATER),
        (TOLD, showing(TOLD)),
        (TOLD, REFUSED),
        (TOLD, REUSED),
        (UNTOLD, showing(UNTOLD)),
        (UNTOLD, Answer(404, None, None, ErrorCode.ORDER_NOT_FOUND)),
    ],
)
def test_answers_that_agree(payment: Payment, later: Answer) -> None:
    assert findings(payment, showing(payment), later) == ""


@pytest.mark.parametrize(
    ("payment", "later"),
    [
        (PAID, REFUSED),
        (PAID, showing(TOLD)),
        (TOLD, showing(PAID)),
        (TOLD, Answer(404, None, None, ErrorCode.ORDER_NOT_FOUND)),
        (TOLD, Answer(422, None, None, ErrorCode.CARD_DECLINED)),
    ],
)
def test_an_answer_that_contradicts_an_earlier_one(payment: Payment, later: Answer) -> None:
    assert f"was answered after payment {payment.id}" in findings(payment, showing(payment), later)


def test_who_asked_before_may_be_told_otherwise() -> None:
    assert findings(PAID, REFUSED, showing(PAID)) == ""


def test_a_payment_that_is_shown_as_it_is_not() -> None:
    shown = showing(PAID)._replace(payment_status="failed")

    assert "showed payment" in findings(PAID, shown)


def test_503_after_a_failure_that_consumers_were_told_of() -> None:
    assert "HTTP 503 showed payment" in findings(TOLD, showing(TOLD, 503))
    assert findings(UNTOLD, showing(UNTOLD, 503)) == ""


@pytest.mark.parametrize("answer", [RUNNING, REUSED, LATER, Answer(202, None, None)])
def test_what_does_not_say_how_a_payment_ended(answer: Answer) -> None:
    assert not is_definite(answer)


def test_what_says_how_a_payment_ended() -> None:
    assert is_definite(showing(PAID))
    assert is_definite(REFUSED)
    assert is_definite(Answer(409, None, None, ErrorCode.PAYMENT_CANCELLED))
