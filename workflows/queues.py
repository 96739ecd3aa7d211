"""The task queues of one worker process, each polled with a limit of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import MappingProxyType, TracebackType
from typing import Self

from temporalio.worker import Worker

from domain.names import TASK_QUEUE, TASK_QUEUE_EVENTS, TASK_QUEUE_GATEWAY, TASK_QUEUE_READS

LIMITS: Mapping[str, int] = MappingProxyType(
    {
        TASK_QUEUE_READS: 100,
        TASK_QUEUE_GATEWAY: 100,
        TASK_QUEUE_EVENTS: 200,
        TASK_QUEUE: 100,
    }
)
"""How many activities of a queue run at once in a process. Each waits for an answer most of the
time, and costs some kilobytes. Events have more, because those that are sent in the second before
a Kafka that hangs is noticed all wait for it. Chosen, not measured."""

WORKFLOW_TASKS = 200
LOCAL_ACTIVITIES = 2 * WORKFLOW_TASKS
"""How many workflow tasks, and local tries in them, run at once. A task waits up to LOCAL_TRY, 2 s,
for two local tries while Ordering and Inventory hang: with 200, a process still begins 100 payments
a second then. More would not fit into the 2 s that the SDK allows a task to wait for a thread."""


class Workers:
    """Workers that start and stop as one; the one that runs workflows comes last.

    A task of a workflow that runs here is thus never given to a queue that is not polled.
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
        # All at once: one after the other, each would be given the whole grace period.
        await asyncio.gather(*(worker.shutdown() for worker in self._workers))
        await self._running.__aexit__(error_type, error, traceback)
