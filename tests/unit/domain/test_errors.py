"""Both tables about error codes are complete, and fit each other and the wire contract."""

from http import HTTPStatus

import pytest

from api.errors import STATUSES
from api.request_errors import RequestErrorCode
from domain.errors import RULES, ErrorCode, FailureReason

CODES = {
    400: "ORDER_NOT_PENDING AMOUNT_MISMATCH CURRENCY_MISMATCH RESERVATION_NOT_ACTIVE "
    "INVALID_REQUEST",
    401: "CUSTOMER_MISMATCH UNAUTHENTICATED",
    403: "INSUFFICIENT_SCOPE",
    404: "ORDER_NOT_FOUND PAYMENT_NOT_FOUND REFUND_NOT_FOUND NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "PAYMENT_IN_PROGRESS PAYMENT_CANCELLED PAYMENT_ENDED PAYMENT_NOT_REFUNDABLE "
    "PAYMENT_DISPUTED",
    408: "REQUEST_TOO_SLOW",
    413: "BODY_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "CARD_DECLINED INSUFFICIENT_FUNDS INVALID_CARD AMOUNT_TOO_LARGE PROCESSOR_TIMEOUT "
    "PROCESSOR_ERROR GATEWAY_SIMULATED IDEMPOTENCY_KEY_REUSED REFUND_REFUSED REFUND_TOO_LARGE "
    "INVENTORY_UNAVAILABLE EVENT_REFUSED",
    429: "TOO_MANY_REQUESTS",
    431: "HEADERS_TOO_LARGE",
    500: "INTERNAL_ERROR",
    503: "ORDERING_UNAVAILABLE GATEWAY_UNAVAILABLE DATABASE_UNAVAILABLE EVENTS_UNAVAILABLE "
    "RECORD_REFUSED SERVICE_UNAVAILABLE",
}
REASONS = {"insufficient_funds", "card_declined", "invalid_card", "processor_error", "timeout"}


def test_codes_and_their_statuses_are_those_that_callers_know() -> None:
    known = {code: status for status, codes in CODES.items() for code in codes.split()}

    assert known == STATUSES
    assert known.keys() == {*ErrorCode, *RequestErrorCode}


def test_failure_reasons_are_those_that_consumers_know() -> None:
    assert set(FailureReason) == REASONS


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_has_a_rule(code: ErrorCode) -> None:
    assert RULES[code].reason in REASONS


@pytest.mark.parametrize("code", ErrorCode)
def test_a_code_that_may_be_tried_again_has_status_503(code: ErrorCode) -> None:
    status = STATUSES[code]

    if code is ErrorCode.INVENTORY_UNAVAILABLE:
        assert status is HTTPStatus.UNPROCESSABLE_ENTITY  # asked for minutes, then published
    elif RULES[code].retryable:
        assert status is HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (ErrorCode.CARD_DECLINED, "card_declined"),
        (ErrorCode.INSUFFICIENT_FUNDS, "insufficient_funds"),
        (ErrorCode.INVALID_CARD, "invalid_card"),
        (ErrorCode.AMOUNT_TOO_LARGE, "processor_error"),
        (ErrorCode.PROCESSOR_TIMEOUT, "timeout"),
        (ErrorCode.PROCESSOR_ERROR, "processor_error"),
    ],
)
def test_a_decline_has_its_reason_and_is_not_tried_again(code: ErrorCode, reason: str) -> None:
    assert RULES[code].reason == reason
    assert not RULES[code].retryable


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CARD_DECLINED", ErrorCode.CARD_DECLINED),
        ("card_declined", ErrorCode.PROCESSOR_ERROR),
        ("LOST_CARD", ErrorCode.PROCESSOR_ERROR),
        ("", ErrorCode.PROCESSOR_ERROR),
        (None, ErrorCode.PROCESSOR_ERROR),
    ],
)
def test_a_foreign_code_is_read_as_the_other(text: str | None, code: ErrorCode) -> None:
    assert ErrorCode.read(text, otherwise=ErrorCode.PROCESSOR_ERROR) is code


def test_a_refusal_is_never_tried_again() -> None:
    assert {code for code in ErrorCode if RULES[code].retryable} == {
        code for code in ErrorCode if code.endswith("UNAVAILABLE")
    }
