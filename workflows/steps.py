"""Executing one step: by its policy, shown to operators, with PaymentError if it fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

from activities.failures import to_payment_error
from domain.errors import RULES
from workflows.operator_view import OperatorView
from workflows.policies import LOCAL_TRY, STEPS
from workflows.step_policy import StepPolicy

Argument = TypeVar("Argument")
Result = TypeVar("Result")


async def execute(
    view: OperatorView,
    activity: Callable[[Any, Argument], Awaitable[Result]],
    argument: Argument,
    *,
    within: timedelta | None = None,
    one_try: timedelta | None = None,
    local_first: bool = False,
) -> Result:
    """Run one activity method by its policy, or `within` a shorter time than the policy's.

    `one_try` is the time limit of one try, if it is another one than the policy's. `local_first`
    tries the step inside the workflow task first, as some policies say for every payment.
    Raises PaymentError, and nothing else, when the step has failed for good.
    """
    policy = STEPS[activity]
    if local_first:
        policy = replace(policy, local_first=True)
    if one_try is not None:
        policy = replace(policy, start_to_close=one_try)
    with view.step(policy.title.format(argument)):
        return await _execute(policy, activity, argument, within)


async def _execute(
    policy: StepPolicy,
    activity: Callable[[Any, Argument], Awaitable[Result]],
    argument: Argument,
    within: timedelta | None,
) -> Result:
    summary = policy.summary.format(argument)
    try:
        if policy.local_first:
            return await _try_locally(activity, argument, summary)
    except FailureError as error:
        failure = to_payment_error(error, policy.unavailable)
        is_over = policy.retry.maximum_attempts == 1
        if is_over or not RULES[failure.code].retryable:
            raise failure from error
    try:
        return await workflow.execute_activity_method(
            activity,
            argument,
            task_queue=policy.queue,
            start_to_close_timeout=policy.start_to_close,
            schedule_to_close_timeout=within or policy.schedule_to_close,
            heartbeat_timeout=policy.heartbeat,
            retry_policy=policy.retry,
            summary=summary,
        )
    except ActivityError as error:
        raise to_payment_error(error, policy.unavailable) from error


async def _try_locally(
    activity: Callable[[Any, Argument], Awaitable[Result]], argument: Argument, summary: str
) -> Result:
    """Try once inside the workflow task. If the step is cancelled, wait for the end of the try.

    The local activity is not cancelled: if it has just ended, the SDK logs a warning about it.
    """
    trying = workflow.start_local_activity_method(
        activity,
        argument,
        start_to_close_timeout=LOCAL_TRY,
        retry_policy=RetryPolicy(maximum_attempts=1),
        summary=summary,
    )
    try:
        return await asyncio.shield(trying)
    except asyncio.CancelledError:
        await workflow.wait([trying])
        raise
