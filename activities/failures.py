"""How a PaymentError travels through Temporal: out of an activity, and back in the workflow."""

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
    """Lets activities raise PaymentError; its code decides whether Temporal tries again."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _PaymentErrorInbound(next)


class _PaymentErrorInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await self.next.execute_activity(input)
        except PaymentError as error:
            log.info("a step failed: %s: %s", error.code, error.message)
            delay = _delay(error.retry_after, activity.info()) if error.retry_after else None
            raise to_application_error(error, delay) from None  # its cause may quote its input


def _delay(asked: timedelta, info: activity.Info) -> timedelta | None:
    """What a `Retry-After` asked for, but never so long that no time is left for another try."""
    if not (info.schedule_to_close_timeout and info.start_to_close_timeout):
        return None
    ends_at = info.scheduled_time + info.schedule_to_close_timeout
    left = ends_at - info.started_time - 2 * info.start_to_close_timeout
    return min(asked, left) if left > timedelta() else None


def to_application_error(error: PaymentError, delay: timedelta | None = None) -> ApplicationError:
    """`delay` replaces the pause of the step's policy before the next try."""
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
    """The domain's view of an activity that failed for good.

    A step that timed out, or whose worker died, has an unknown outcome: `unavailable`.
    """
    # Temporal wraps what an activity raised in an ActivityError; of a local activity it does not.
    cause: BaseException | None = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TemporalTimeoutError) and cause.cause is not None:
        cause = cause.cause  # the last try's own failure says more than the deadline
    if isinstance(cause, ApplicationError) and cause.type in ERROR_CODES:
        return PaymentError(ErrorCode(cause.type), cause.message)
    if isinstance(cause, TemporalTimeoutError):
        return PaymentError(unavailable, "No answer in time.")
    if isinstance(cause, CancelledError):
        return PaymentError(unavailable, "The answer is not needed any more.")
    # What else an exception says may quote what it was given: it stays in the worker's log.
    return PaymentError(unavailable, "The step failed unexpectedly.")
