"""A workflow that reads the clock of the machine: the sandbox must refuse it."""

import time

from temporalio import workflow


@workflow.defn
class ReadsTheClock:
    @workflow.run
    async def run(self) -> float:
        return time.time()
