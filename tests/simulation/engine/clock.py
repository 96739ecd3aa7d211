"""An event loop with a clock of its own: when nothing can run, it is the time of the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.builders import NOON

Result = TypeVar("Result")


class _Leap(selectors.SelectSelector):
    """Waits for no time and for no file: only the clock moves."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Nothing is left that could happen.")
        self.seconds += max(timeout, 0)
        return []


class LeapingLoop(asyncio.SelectorEventLoop):
    """For code that waits for timers and for itself, and for nothing outside the process."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._leap.seconds


def now() -> datetime:
    """The time on the clock of the running loop."""
    return NOON + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine on a new `LeapingLoop`; end the tasks that it leaves."""
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
