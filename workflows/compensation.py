"""Compensation: undo what was done, and repeat a step until it succeeds."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError
from workflows.cancellation import is_cancelled, raise_if_cancelled
from workflows.pauses import PAUSES, Pauses

Result = TypeVar("Result")
Step = Callable[[], Awaitable[Result]]

PAUSE_SUMMARY = "pause before the next round"


class Compensations:
    """How to undo the steps of a saga. Each is registered before its step is executed."""

    def __init__(self) -> None:
        self._undo: list[Step[None]] = []

    def __bool__(self) -> bool:
        return bool(self._undo)

    def add(self, undo: Step[None]) -> None:
        """Register how to undo a step, once."""
        if undo not in self._undo:
            self._undo.append(undo)

    async def unwind(self) -> None:
        """Undo everything, the latest step first."""
        while self._undo:
            await self._undo.pop()()


async def _pause(time: timedelta) -> None:
    await workflow.sleep(time, summary=PAUSE_SUMMARY)


async def _pause_unless_cancelled(time: timedelta) -> None:
    """Raises PaymentError(PAYMENT_CANCELLED) as soon as the workflow is cancelled."""
    with suppress(TimeoutError):
        await workflow.wait_condition(is_cancelled, timeout=time, timeout_summary=PAUSE_SUMMARY)
    raise_if_cancelled()


async def until_done(
    step: Step[Result],
    *,
    on_failure: Callable[[PaymentError], None],
    refusals: frozenset[ErrorCode] = frozenset(),
    in_any_round: bool = False,
    pauses: Pauses = PAUSES,
    wait: Callable[[timedelta], Awaitable[None]] = _pause,
) -> Result:
    """Repeat a step until it succeeds; `on_failure` is called after each round that failed.

    Raises PaymentError for the codes in `refusals`, but only in the first round: after that, an
    earlier round may have had an effect. Use `in_any_round` for steps where this is impossible.
    Also raises what `on_failure` raises, and what `wait` raises instead of the next round.
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
        await wait(pause)
        pause = min(2 * pause, pauses.longest)


async def until_done_or_cancelled(
    step: Step[Result], *, on_failure: Callable[[PaymentError], None]
) -> Result:
    """Repeat a step until it succeeds. For workflows that operators end by cancelling them.

    Raises PaymentError(PAYMENT_CANCELLED) if the workflow is cancelled before the step succeeds.
    """
    return await until_done(step, on_failure=on_failure, wait=_pause_unless_cancelled)
