"""Runs many small reads concurrently, with a limit."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

MAX_CONCURRENT_READS = 20
"""Of one source, which serves payments at the same time. Chosen, not measured."""


async def in_parallel(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all reads. Raises the first error that a read raises."""
    free = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def run(read: Coroutine[Any, Any, None]) -> None:
        async with free:
            await read

    await asyncio.gather(*map(run, reads))
