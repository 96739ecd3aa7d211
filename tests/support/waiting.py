"""Waiting for what will be true soon: asked again and again, and never beyond a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

_PAUSE = 0.02


async def eventually(
    what: str, ask: Callable[[], Awaitable[Found | None]], *, seconds: float = 20
) -> Found:
    """The first truthy answer. When there is none in time, the test fails and says `what`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := await ask()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"After {seconds:g} s it is still not so: {what}.")
        await asyncio.sleep(_PAUSE)
    return found
