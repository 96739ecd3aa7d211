"""Converts a PaymentError into an error of Temporal in an activity, and back in a workflow."""

import logging
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    FailureError,
)
from temporalio.exceptions import (
    TimeoutError as TemporalTimeoutError,
)
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.errors import RULES, ErrorCode, PaymentError

ERROR_CODES = frozenset(map(str, ErrorCode))

log = logging.getLogger(__name__)


class PaymentErrorInterceptor(Interceptor):
    """Lets activities raise PaymentError. Its code decides whether Temporal retries them."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _PaymentErrorInbound(next)


class _PaymentErrorInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await self.next.execute_activity(input)
        except PaymentError as error:
            log.info("a step failed: %s: %s", error.code, error.message)
            delay = _delay(error.retry_after, activity.info()) if error.retry_after else None
            raise to_application_error(error, delay) from None  # the cause may quote the input


def _delay(requested: timedelta, info: activity.Info) -> timedelta | None:
    """The wait that `Retry-After` asks for, shortened so that there is time for one more try."""
    if not (info.schedule_to_close_timeout and info.start_to_close_timeout):
        return None
    ends_at = info.scheduled_time + info.schedule_to_close_timeout
    left = ends_at - info.started_time - 2 * info.start_to_close_timeout
    return min(requested, left) if left > timedelta() else None


def to_application_error(error: PaymentError, delay: timedelta | None = None) -> ApplicationError:
    """The error for Temporal. `delay`, if given, replaces the policy's wait before the next try."""
    retryable = RULES[error.code].retryable
    return ApplicationError(
        error.message,
        type=error.code,
        next_retry_delay=delay,
        non_retryable=not retryable,
        category=ApplicationErrorCategory.UNSPECIFIED
        if retryable
        else ApplicationErrorCategory.BENIGN,
    )


def to_payment_error(error: FailureError, unavailable: ErrorCode) -> PaymentError:
    """The PaymentError of an activity that failed after its last try.

    Its code is `unavailable` if the outcome is unknown: after a timeout, or if the worker died.
    """
    # Temporal wraps the error of an activity in an ActivityError, but not of a local activity.
    cause: BaseException | None = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TemporalTimeoutError) and cause.cause is not None:
        cause = cause.cause  # the error of the last try says more than the timeout
    if isinstance(cause, ApplicationError) and cause.type in ERROR_CODES:
        return PaymentError(ErrorCode(cause.type), cause.message)
    if isinstance(cause, TemporalTimeoutError):
        return PaymentError(unavailable, "No response in time.")
    if isinstance(cause, CancelledError):
        return PaymentError(unavailable, "The result is not needed any more.")
    # The text of another error may quote the input: it is only in the worker's log.
    return PaymentError(unavailable, "The step failed unexpectedly.")
