"""The tries of an activity: retries and time limits, as the server handles them."""

import asyncio
import math
from collections.abc import Callable
from contextvars import Context

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import ActivityType, RetryPolicy
from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import ActivityFailureInfo, Failure, TimeoutFailureInfo
from temporalio.bridge.proto.activity_result import (
    ActivityExecutionResult,
    ActivityResolution,
)
from temporalio.bridge.proto.activity_result import Failure as Failed
from temporalio.bridge.proto.activity_task import Start

from tests.proofs.simulation.engine.clock import now
from tests.proofs.simulation.engine.worker import InProcessWorker

DEFAULT_INTERVAL = 1.0
DEFAULT_COEFFICIENT = 2.0
DEFAULT_INTERVALS = 100
"""Temporal's own: https://docs.temporal.io/encyclopedia/retry-policies#default-values-for-retry-policy"""


class Tries:
    """One scheduled activity, with all tries that its retry policy and time limits allow."""

    def __init__(self, worker: InProcessWorker, start: Start, is_over: Callable[[], bool]) -> None:
        self._worker = worker
        self._start = start
        self._is_over = is_over
        self._ends_at = _seconds_now() + _limit(start, "schedule_to_close_timeout")
        self._last_failure: Failure | None = None
        start.scheduled_time.FromDatetime(now())

    async def resolution(self) -> ActivityResolution | None:
        """Run all tries. Returns the result; None if the workflow has ended meanwhile."""
        self._start.attempt = 1
        while not self._is_over():
            result = await self._try()
            if not result.HasField("failed"):
                return ActivityResolution(completed=result.completed)
            self._last_failure = failure = result.failed.failure
            pause = self._pause(failure)
            if pause is None or _seconds_now() + pause > self._ends_at:
                return ActivityResolution(failed=Failed(failure=self._reported(failure)))
            await asyncio.sleep(pause)
            self._start.attempt += 1
        return None

    async def _try(self) -> ActivityExecutionResult:
        """Run one try. After its time limit it counts as failed, but it is not stopped."""
        self._start.current_attempt_scheduled_time.FromDatetime(now())
        self._start.started_time.FromDatetime(now())
        start = Start()
        start.CopyFrom(self._start)
        left = self._ends_at - _seconds_now()
        limit = min(_limit(start, "start_to_close_timeout"), left)
        running = asyncio.create_task(self._worker.execute(start), context=Context())
        done, _ = await asyncio.wait({running}, timeout=None if math.isinf(limit) else limit)
        if done:
            return running.result()
        return ActivityExecutionResult(failed=Failed(failure=self._timeout(is_last=limit == left)))

    def _timeout(self, *, is_last: bool) -> Failure:
        kind = (
            TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
            if is_last
            else TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
        )
        return Failure(
            message="activity timeout",
            timeout_failure_info=TimeoutFailureInfo(timeout_type=kind),
            cause=self._last_failure if is_last else None,
        )

    def _pause(self, failure: Failure) -> float | None:
        """Seconds until the next try; None if there is no next try."""
        policy = self._start.retry_policy
        attempt = self._start.attempt
        if _is_final(failure, policy) or attempt == policy.maximum_attempts:
            return None
        told = failure.application_failure_info
        if told.HasField("next_retry_delay"):
            return _seconds(told.next_retry_delay)
        initial = _seconds(policy.initial_interval) or DEFAULT_INTERVAL
        longest = _seconds(policy.maximum_interval) or DEFAULT_INTERVALS * initial
        growth = (policy.backoff_coefficient or DEFAULT_COEFFICIENT) ** min(attempt - 1, 64)
        return min(initial * growth, longest)

    def _reported(self, failure: Failure) -> Failure:
        """The failure as the workflow gets it. A local activity's failure is not wrapped."""
        if self._start.is_local:
            return failure
        return Failure(
            message="Activity task failed",
            cause=failure,
            activity_failure_info=ActivityFailureInfo(
                activity_id=self._start.activity_id,
                activity_type=ActivityType(name=self._start.activity_type),
            ),
        )


def _is_final(failure: Failure, policy: RetryPolicy) -> bool:
    if failure.HasField("timeout_failure_info"):
        kind = failure.timeout_failure_info.timeout_type
        return kind == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
    told = failure.application_failure_info
    return told.non_retryable or told.type in policy.non_retryable_error_types


def _limit(start: Start, name: str) -> float:
    return _seconds(getattr(start, name)) or math.inf


def _seconds(duration: Duration) -> float:
    return (duration.seconds * 10**9 + duration.nanos) / 10**9


def _seconds_now() -> float:
    return asyncio.get_running_loop().time()
