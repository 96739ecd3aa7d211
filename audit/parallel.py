"""Many small reads at the same time, but not too many."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

AT_ONCE = 20
"""Reads of one source at the same time: it serves payments meanwhile. Chosen, not measured."""


async def in_parallel(reads: Iterable[Coroutine[Any, Any, None]]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def take_turns(read: Coroutine[Any, Any, None]) -> None:
        async with places:
            await read

    await asyncio.gather(*map(take_turns, reads))
