"""How a PaymentError passes through Temporal, from an activity to the workflow."""

import dataclasses
from datetime import timedelta
from typing import Any, NoReturn, cast

import pytest
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    RetryState,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failures import PaymentErrorInterceptor, to_application_error, to_payment_error
from domain.errors import RULES, ErrorCode, PaymentError
from tests.support.builders import NOON

UNAVAILABLE = ErrorCode.ORDERING_UNAVAILABLE
UNEXPECTED = "The step failed unexpectedly."


class Raising(ActivityInboundInterceptor):
    """An activity that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> NoReturn:  # noqa: A002, ARG002
        raise self._error


def failed(cause: BaseException | None) -> ActivityError:
    """The error that a workflow gets from an activity that failed because of `cause`."""
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="worker",
        activity_type="fetch_order",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


def timeout(last: BaseException | None = None) -> TemporalTimeoutError:
    error = TemporalTimeoutError(
        "activity timed out", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[]
    )
    error.__cause__ = last
    return error


@pytest.mark.parametrize("code", ErrorCode)
def test_a_code_survives_the_way_there_and_back(code: ErrorCode) -> None:
    sent = to_application_error(PaymentError(code, "Why."))

    received = to_payment_error(failed(sent), UNAVAILABLE)

    assert (received.code, received.message) == (code, "Why.")
    assert sent.type == code
    assert sent.non_retryable is not RULES[code].retryable


def test_an_outcome_is_no_alarm_but_an_outage_is() -> None:
    decline = to_application_error(PaymentError(ErrorCode.CARD_DECLINED, "Declined."))
    outage = to_application_error(PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "Silence."))

    assert decline.category is ApplicationErrorCategory.BENIGN
    assert outage.category is ApplicationErrorCategory.UNSPECIFIED


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (failed(timeout()), UNAVAILABLE, "No response in time."),
        (
            failed(timeout(ApplicationError("Silence.", type="GATEWAY_UNAVAILABLE"))),
            ErrorCode.GATEWAY_UNAVAILABLE,
            "Silence.",
        ),
        (failed(ApplicationError("Odd.", type="ZeroDivisionError")), UNAVAILABLE, UNEXPECTED),
        (failed(ApplicationError("Odd.")), UNAVAILABLE, UNEXPECTED),
        (failed(CancelledError("Cancelled.")), UNAVAILABLE, "The result is not needed any more."),
        (failed(None), UNAVAILABLE, UNEXPECTED),
        (
            ApplicationError("Local.", type="ORDER_NOT_FOUND"),
            ErrorCode.ORDER_NOT_FOUND,
            "Local.",
        ),
        (timeout(), UNAVAILABLE, "No response in time."),
    ],
    ids=[
        "timeout",
        "timeout after a failure",
        "foreign type",
        "no type",
        "cancelled",
        "no cause",
        "local activity",
        "local timeout",
    ],
)
def test_what_is_not_known_for_sure_is_unavailable(
    error: ActivityError | ApplicationError | TemporalTimeoutError, code: ErrorCode, message: str
) -> None:
    received = to_payment_error(error, UNAVAILABLE)

    assert (received.code, received.message) == (code, message)


async def run(error: Exception) -> Any:
    interceptor = PaymentErrorInterceptor().intercept_activity(Raising(error))
    return await interceptor.execute_activity(cast("ExecuteActivityInput", None))


@pytest.mark.parametrize(
    ("asked", "tried_after", "pause"),
    [
        (None, 0, None),
        (30, 0, 30),
        (259, 0, 259),
        (3600, 0, 260),
        (3600, 200, 60),
        (30, 260, None),
        (30, 290, None),
    ],
)
async def test_a_retry_after_is_obeyed_while_another_try_fits(
    asked: float | None, tried_after: float, pause: float | None
) -> None:
    """The step has 300 s in all, and 20 s for a try."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info,
        scheduled_time=NOON,
        started_time=NOON + timedelta(seconds=tried_after),
        schedule_to_close_timeout=timedelta(seconds=300),
        start_to_close_timeout=timedelta(seconds=20),
    )
    wait = None if asked is None else timedelta(seconds=asked)
    error = PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "HTTP 429", wait)

    with pytest.raises(ApplicationError) as caught:
        await environment.run(run, error)
    delay = caught.value.next_retry_delay
    assert (delay and delay.total_seconds()) == pause


def test_a_message_is_one_line_that_can_be_kept() -> None:
    error = PaymentError(ErrorCode.RECORD_REFUSED, "not\x00 so\n\ud800" + "x" * 100_000)

    assert error.message.startswith("not so \ufffdx")
    assert (len(error.message), str(error)) == (2000, error.message)


async def test_an_activity_that_raises_a_payment_error_fails_with_its_code() -> None:
    error = PaymentError(ErrorCode.ORDER_NOT_FOUND, "Order not found.")
    error.__cause__ = ValueError("what it was given")

    with pytest.raises(ApplicationError, match="Order not found") as caught:
        await run(error)
    assert caught.value.type == "ORDER_NOT_FOUND"
    assert caught.value.__cause__ is None


async def test_an_activity_with_a_bug_fails_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        await run(ZeroDivisionError())
