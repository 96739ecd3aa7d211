"""What a response says must be true, and must stay true for later requests."""

import pytest

from audit.api_responses import is_definite
from audit.books import ApiResponse, Books
from audit.invariants import violations
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.support.builders import NOON, a_payment

DECLINE = PaymentError(ErrorCode.CARD_DECLINED, "Declined.")
REFUSED = ApiResponse(400, None, None, ErrorCode.ORDER_NOT_PENDING)
RUNNING = ApiResponse(409, None, None, ErrorCode.PAYMENT_IN_PROGRESS)
REUSED = ApiResponse(422, None, None, ErrorCode.IDEMPOTENCY_KEY_REUSED)
LATER = ApiResponse(503, None, None, ErrorCode.DATABASE_UNAVAILABLE)
PAID = a_payment().succeeded(NOON).announced()
PUBLISHED = a_payment().failed(DECLINE, NOON, Announcement.MADE)
UNPUBLISHED = a_payment().failed(DECLINE, NOON)


def showing(payment: Payment, status: int = 422) -> ApiResponse:
    code = payment.error_code
    return ApiResponse(200 if code is None else status, payment.id, payment.status, code)


def findings(payment: Payment, *answers: ApiResponse) -> str:
    """The findings about these responses, given one after the other."""
    given = [
        answer._replace(sent_at=place, received_at=place + 0.5)
        for place, answer in enumerate(answers)
    ]
    found = violations(Books(payment.order_id, payments=[payment], responses=given))
    about = (
        "responses were true",
        "responses stay true",
        "no 503 after a published failure",
    )
    return "\n".join(each.finding for each in found if each.invariant in about)


@pytest.mark.parametrize(
    ("payment", "later"),
    [
        (PAID, showing(PAID)),
        (PAID, RUNNING),
        (PAID, REUSED),
        (PAID, LATER),
        (PUBLISHED, showing(PUBLISHED)),
        (PUBLISHED, REFUSED),
        (PUBLISHED, REUSED),
        (UNPUBLISHED, showing(UNPUBLISHED)),
        (UNPUBLISHED, ApiResponse(404, None, None, ErrorCode.ORDER_NOT_FOUND)),
    ],
)
def test_responses_that_agree_are_no_finding(payment: Payment, later: ApiResponse) -> None:
    assert findings(payment, showing(payment), later) == ""


@pytest.mark.parametrize(
    ("payment", "later"),
    [
        (PAID, REFUSED),
        (PAID, showing(PUBLISHED)),
        (PUBLISHED, showing(PAID)),
        (PUBLISHED, ApiResponse(404, None, None, ErrorCode.ORDER_NOT_FOUND)),
        (PUBLISHED, ApiResponse(422, None, None, ErrorCode.CARD_DECLINED)),
    ],
)
def test_a_contradicting_response_is_found(payment: Payment, later: ApiResponse) -> None:
    assert f"after payment {payment.id} was shown as" in findings(payment, showing(payment), later)


def test_a_request_sent_before_may_get_another_response() -> None:
    assert findings(PAID, REFUSED, showing(PAID)) == ""


def test_a_payment_shown_with_another_status_is_found() -> None:
    shown = showing(PAID)._replace(payment_status="failed")

    assert "showed payment" in findings(PAID, shown)


def test_503_after_a_published_failure_is_found() -> None:
    assert "HTTP 503 showed payment" in findings(PUBLISHED, showing(PUBLISHED, 503))
    assert findings(UNPUBLISHED, showing(UNPUBLISHED, 503)) == ""


@pytest.mark.parametrize("response", [RUNNING, REUSED, LATER, ApiResponse(202, None, None)])
def test_other_responses_are_not_definite(
    response: ApiResponse,
) -> None:
    assert not is_definite(response)


def test_a_response_that_says_how_a_payment_ended_is_definite() -> None:
    assert is_definite(showing(PAID))
    assert is_definite(REFUSED)
    assert is_definite(ApiResponse(409, None, None, ErrorCode.PAYMENT_CANCELLED))
