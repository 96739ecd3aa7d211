"""Executing one step of the saga: by its policy, seen by operators, as PaymentError if it fails."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.failures import to_payment_error
from workflows.policies import STEPS, StepPolicy

Argument = TypeVar("Argument")
Result = TypeVar("Result")


async def execute(
    activity: Callable[[Any, Argument], Awaitable[Result]],
    argument: Argument,
    *,
    summary: str,
    within: timedelta | None = None,
) -> Result:
    """Run one activity method by its policy, or `within` a time shorter than the policy's.

    Raises PaymentError, and only that, when the step has failed for good.
    """
    policy = STEPS[activity]
    try:
        return await _run(policy, activity, argument, summary, within or policy.schedule_to_close)
    except ActivityError as error:
        raise to_payment_error(error, policy.unavailable) from error


async def _run(
    policy: StepPolicy,
    activity: Callable[[Any, Argument], Awaitable[Result]],
    argument: Argument,
    summary: str,
    within: timedelta,
) -> Result:
    if policy.local:
        return await workflow.execute_local_activity_method(
            activity,
            argument,
            start_to_close_timeout=policy.start_to_close,
            schedule_to_close_timeout=within,
            retry_policy=policy.retry,
            summary=summary,
        )
    return await workflow.execute_activity_method(
        activity,
        argument,
        start_to_close_timeout=policy.start_to_close,
        schedule_to_close_timeout=within,
        heartbeat_timeout=policy.heartbeat,
        retry_policy=policy.retry,
        summary=summary,
    )
