"""A workflow and an activity that show how an engine handles retries, time and cancellation."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
"""Times are compared in whole minutes: on a busy machine, the server is some seconds late."""
HANGS = "hangs"
LATER = "later"
FOR_GOOD = "for good"
CANCELS = "cancels"


class Probes:
    """Activities whose outcome the test chooses. They record the time of each try."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.tries: list[str] = []

    @activity.defn
    async def probe(self, plan: list[str]) -> int:
        """End this attempt as the plan says: fail, or return the number of the attempt."""
        info = activity.info()
        waited = info.started_time - info.scheduled_time
        self.tries.append(f"{info.attempt} after {waited / MINUTE:.0f} min")
        what = plan[info.attempt - 1] if info.attempt <= len(plan) else "done"
        if what == HANGS:
            await asyncio.sleep(60)
        elif what == CANCELS:
            await self._client.get_workflow_handle(info.workflow_id or "").cancel()
        elif what != "done":
            delay = 30 * MINUTE if what == LATER else None
            is_final = what == FOR_GOOD
            raise ApplicationError(
                what, type="Probed", non_retryable=is_final, next_retry_delay=delay
            )
        return info.attempt


@workflow.defn
class Probe:
    @workflow.run
    async def run(self, what: str) -> str:
        began = workflow.now()
        try:
            result = await getattr(self, f"_{what}")()
        except FailureError as error:
            result = " < ".join(_chain(error))
        return f"{result}, {(workflow.now() - began) / MINUTE:.0f} min"

    async def _succeeds_in_the_end(self) -> Any:
        return await _execute(["a", "b", "c", "d"])

    async def _waits_as_told(self) -> Any:
        return await _execute(["a", LATER])

    async def _fails_for_good(self) -> Any:
        return await _execute(["a", FOR_GOOD])

    async def _has_tries_left_but_no_time(self) -> Any:
        return await _execute(["a"] * 99, in_all=10 * MINUTE)

    async def _is_told_to_wait_too_long(self) -> Any:
        return await _execute([LATER], in_all=10 * MINUTE)

    async def _has_time_left_but_no_tries(self) -> Any:
        return await _execute(["a"] * 99, tries=3)

    async def _hangs(self) -> Any:
        return await _execute([HANGS] * 99, tries=1, one=2 * SECOND)

    async def _hangs_once(self) -> Any:
        return await _execute([HANGS], one=2 * SECOND)

    async def _hangs_for_all_its_time(self) -> Any:
        return await _execute([HANGS], one=9 * MINUTE, in_all=4 * SECOND)

    async def _has_no_time_for_a_second_try_to_hang(self) -> Any:
        return await _execute(["a", HANGS], one=9 * MINUTE, in_all=100 * SECOND)

    async def _cancels_an_activity_between_two_tries(self) -> Any:
        trying = asyncio.create_task(_execute(["a"] * 99))
        await workflow.sleep(5 * MINUTE)
        trying.cancel()
        await workflow.sleep(5 * MINUTE)
        return await trying

    async def _cancels_an_activity_before_it_is_scheduled(self) -> Any:
        trying = asyncio.create_task(_execute(["a"] * 99))
        await _execute_locally([])
        trying.cancel()
        return await trying

    async def _fails_locally(self) -> Any:
        return await _execute_locally(["a"])

    async def _succeeds_locally(self) -> Any:
        return await _execute_locally([])

    async def _cancels_a_step(self) -> Any:
        step = asyncio.create_task(_execute(["a"] * 99))
        await workflow.sleep(10 * MINUTE)
        step.cancel()
        return await step

    async def _sleeps(self) -> Any:
        await workflow.sleep(3600)
        return workflow.patched("probe")

    async def _is_cancelled(self) -> Any:
        return await _told_of_cancellation(_execute([CANCELS]))

    async def _is_cancelled_in_its_last_task(self) -> Any:
        return await _told_of_cancellation(_execute_locally([CANCELS]))


async def _told_of_cancellation(activity: Coroutine[Any, Any, int]) -> str:
    """Do not stop at a cancellation request. Returns how many requests came meanwhile."""
    running = asyncio.create_task(activity)
    cancellations = 0
    while not running.done():
        try:
            await workflow.wait([running])
        except asyncio.CancelledError:
            cancellations += 1
    return f"{await running}, and {cancellations} cancellations"


async def _execute(
    plan: list[str],
    *,
    one: timedelta = 9 * MINUTE,
    in_all: timedelta | None = None,
    tries: int = 0,
) -> Any:
    return await workflow.execute_activity_method(
        Probes.probe,
        plan,
        start_to_close_timeout=one,
        schedule_to_close_timeout=in_all,
        retry_policy=RetryPolicy(
            initial_interval=MINUTE, maximum_interval=3 * MINUTE, maximum_attempts=tries
        ),
    )


async def _execute_locally(plan: list[str]) -> Any:
    return await workflow.execute_local_activity_method(
        Probes.probe,
        plan,
        start_to_close_timeout=MINUTE,
        retry_policy=RetryPolicy(maximum_attempts=1),
    )


def _chain(error: BaseException) -> list[str]:
    """The types of the error and its causes, without their messages."""
    told = type(error).__name__
    if isinstance(error, ApplicationError):
        told += f" {error.type} {error.message}"
    if isinstance(error, TemporalTimeoutError) and error.type is not None:
        told += f" {error.type.name}"
    if isinstance(error, ActivityError):
        told += f" of {error.activity_type}"
    return [told, *(_chain(error.__cause__) if error.__cause__ else [])]


WHATS = [name[1:] for name in vars(Probe) if name[0] == "_" and name[1].isalpha()]
