"""What must happen even if everything else goes wrong: undoing, and never giving up on it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError
from workflows.policies import PAUSES, Pauses

Result = TypeVar("Result")
Step = Callable[[], Awaitable[Result]]


class Compensations:
    """The undoing of the saga's acts, each registered before its act."""

    def __init__(self) -> None:
        self._undo: list[Step[None]] = []

    def __bool__(self) -> bool:
        return bool(self._undo)

    def add(self, undo: Step[None]) -> None:
        """Register an undoing; one that is registered already stays registered once."""
        if undo not in self._undo:
            self._undo.append(undo)

    async def unwind(self) -> None:
        """Undo everything, the latest act first."""
        while self._undo:
            await self._undo.pop()()


async def until_done(
    step: Step[Result],
    *,
    on_failure: Callable[[PaymentError], None],
    refusals: frozenset[ErrorCode] = frozenset(),
    in_any_round: bool = False,
    pauses: Pauses = PAUSES,
) -> Result:
    """Repeat a step for as long as it takes; `on_failure` is called after every failed round.

    Raises PaymentError for the codes in `refusals`, and only in the first round: after that an
    earlier round may have had its effect. `in_any_round` is for steps that rule this out. Raises
    what `on_failure` raises, too.
    """
    pause = pauses.first
    while True:
        try:
            return await step()
        except PaymentError as error:
            if error.code in refusals:
                raise
            on_failure(error)
        refusals = refusals if in_any_round else frozenset()
        await workflow.sleep(pause, summary="pause before the next round")
        pause = min(2 * pause, pauses.longest)


async def uninterrupted(saga: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end, come what may.

    A cancellation request interrupts no step: the saga asks `workflow.cancellation_reason()`
    where it can still turn back, and compensates of its own accord.
    """
    task = asyncio.create_task(saga)
    while not task.done():
        try:
            await workflow.wait([task])
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) is not None:
                current.uncancel()
    return task.result()
