"""Polls until something is true. Fails the test if it is not true in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

_POLL_SECONDS = 0.02
"""Pause between two calls. Chosen, not measured."""


async def eventually(
    what: str, ask: Callable[[], Awaitable[Found | None]], *, seconds: float = 20
) -> Found:
    """Call `ask` until its result is truthy, and return that.

    Raises AssertionError with the text `what` after `seconds`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := await ask()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"Not true after {seconds:g} s: {what}.")
        await asyncio.sleep(_POLL_SECONDS)
    return found
