"""The policy of a step: what operators see, its time limits, its retries, its task queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from temporalio.common import RetryPolicy

from domain.errors import ErrorCode
from domain.names import TASK_QUEUE, TASK_QUEUE_EVENTS, TASK_QUEUE_READS, TASK_QUEUE_RECORDS

QUEUES: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.ORDERING_UNAVAILABLE: TASK_QUEUE_READS,
        ErrorCode.INVENTORY_UNAVAILABLE: TASK_QUEUE_READS,
        ErrorCode.GATEWAY_UNAVAILABLE: TASK_QUEUE,
        ErrorCode.EVENTS_UNAVAILABLE: TASK_QUEUE_EVENTS,
        ErrorCode.DATABASE_UNAVAILABLE: TASK_QUEUE_RECORDS,
    }
)
"""The task queue of a step, by the system that the step waits for. Each queue has its own limit
(`workflows/queues.py`): a system that hangs delays no step that does not need it.

The gateway's steps are on the queue of the workflows: Temporal gives a step of that queue to the
worker with the response to its workflow task, if the server allows that (eager execution). Every
payment has such a step, the charge. The others are usually tried inside the workflow task."""


@dataclass(frozen=True)
class StepPolicy:
    """A step; `title` and `summary` are templates, in which `{0}` is the activity's argument."""

    title: str
    """Its row in the workflow's details, which the Web UI shows."""
    summary: str
    """Its line in the workflow's history, which the Web UI shows."""
    unavailable: ErrorCode
    """The error of a step whose time is over and whose outcome is unknown."""
    start_to_close: timedelta
    """Time limit of one try."""
    schedule_to_close: timedelta
    """Time limit of all tries together."""
    retry: RetryPolicy
    heartbeat: timedelta | None = None
    """Longest time between two heartbeats of a try; None for short steps, which send none."""
    local_first: bool = False
    """Try once inside the workflow task, which saves a round trip to the server. If that fails, go
    on as a regular activity, whose tries operators can see, unless `retry` allows one try only."""
    own_queue: str | None = None
    """The task queue of this step; None: the one in QUEUES."""

    @property
    def queue(self) -> str:
        return self.own_queue or QUEUES[self.unavailable]


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def policy(  # noqa: PLR0913 (each is a column of the table)
    title: str,
    summary: str,
    unavailable: ErrorCode,
    *,
    one_try: float,
    in_all: float,
    pauses: tuple[float, float],
    heartbeat: float | None = None,
    local_first: bool = False,
    queue: str | None = None,
) -> StepPolicy:
    """A policy; times are in seconds. Each pause is twice the one before, within `pauses`."""
    initial, maximum = map(_seconds, pauses)
    return StepPolicy(
        title=title,
        summary=summary,
        unavailable=unavailable,
        start_to_close=_seconds(one_try),
        schedule_to_close=_seconds(in_all),
        retry=RetryPolicy(initial_interval=initial, maximum_interval=maximum),
        heartbeat=_seconds(heartbeat) if heartbeat else None,
        local_first=local_first,
        own_queue=queue,
    )


def record(title: str, summary: str, one_try: float = 10) -> StepPolicy:
    """The policy of a step that uses PostgreSQL and is repeated until it succeeds."""
    return policy(
        title,
        summary,
        ErrorCode.DATABASE_UNAVAILABLE,
        one_try=one_try,
        in_all=600,
        pauses=(0.1, 10),
    )
