"""The task queues of a worker process. Each has its own limit of concurrent activities."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import MappingProxyType, TracebackType
from typing import Self

from temporalio.worker import Worker

from domain.names import (
    TASK_QUEUE,
    TASK_QUEUE_EVENTS,
    TASK_QUEUE_GATEWAY,
    TASK_QUEUE_READS,
    TASK_QUEUE_RECORDS,
)

LIMITS: Mapping[str, int] = MappingProxyType(
    {
        TASK_QUEUE_READS: 100,
        TASK_QUEUE_RECORDS: 100,
        TASK_QUEUE_GATEWAY: 100,
        TASK_QUEUE_EVENTS: 200,
        TASK_QUEUE: 100,
    }
)
"""How many activities of a queue run at once in a process. Most of the time an activity waits for a
response, and it needs some kilobytes. The limit for events is higher: when Kafka hangs, all events
of the first second wait until we notice it. Chosen, not measured.

TASK_QUEUE_GATEWAY has only the steps that look at attempts that wait for their customers: however
many there are, they delay no charge. Versions before 0.3.0 have all steps of the gateway there."""

WORKFLOW_TASKS = 200
LOCAL_ACTIVITIES = 2 * WORKFLOW_TASKS
"""How many workflow tasks, and local tries, run at once. While Ordering and Inventory hang, a task
waits for its two local tries, up to LOCAL_TRY (2 s): with 200, a process can still begin 100
payments a second. With more, a task could wait for a thread longer than the SDK allows (2 s)."""


class Workers:
    """Workers that start and stop together. The one that runs workflows starts last.

    So no workflow that runs here schedules an activity on a queue that is not polled yet.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            for worker in self._workers:
                await starting.enter_async_context(worker)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # At the same time: one after the other, each could take the whole grace period.
        await asyncio.gather(*(worker.shutdown() for worker in self._workers))
        await self._running.__aexit__(error_type, error, traceback)
