"""An event loop with a simulated clock, which moves to the next timer when no task can run."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.support.builders import NOON

RESOLUTION = 1e-6
"""The loop runs a timer that is due in less than this time, in seconds. asyncio's own value, 1 ns,
is smaller than the rounding errors of a clock that shows months."""

Result = TypeVar("Result")


class _Leap(selectors.SelectSelector):
    """A selector that never waits: it moves the clock to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Nothing is left that could happen.")
        self.seconds += max(timeout, 0)
        return []


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop for code that does no I/O."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)
        self._clock_resolution = RESOLUTION

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._leap.seconds


def now() -> datetime:
    """The time on the running loop's clock."""
    return NOON + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine on a new `LeapingLoop`, and cancel the tasks that remain."""
    loop = LeapingLoop()
    try:
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(_end_tasks())
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
