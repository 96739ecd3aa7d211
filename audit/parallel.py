"""Runs many small reads concurrently, with a limit."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

MAX_CONCURRENT_READS = 20
"""Small, because the source also serves payments at the same time. Chosen, not measured."""


async def in_parallel(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all reads, at most MAX_CONCURRENT_READS at a time. Raises the first error of a read."""
    limit = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def run(read: Coroutine[Any, Any, None]) -> None:
        async with limit:
            await read

    await asyncio.gather(*map(run, reads))
