"""Compensation: undo what was done, and repeat a step until it succeeds."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError
from workflows.cancellation import is_cancelled, raise_if_cancelled
from workflows.pauses import PAUSES, Pauses

Result = TypeVar("Result")
Step = Callable[[], Awaitable[Result]]


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


async def until_done(
    step: Step[Result],
    *,
    on_failure: Callable[[PaymentError], None],
    refusals: frozenset[ErrorCode] = frozenset(),
    in_any_round: bool = False,
    pauses: Pauses = PAUSES,
) -> Result:
    """Repeat a step until it succeeds; `on_failure` is called after each round that failed.

    Raises PaymentError for the codes in `refusals`, but only in the first round: after that, an
    earlier round may have had an effect. Use `in_any_round` for steps where this is impossible.
    Also raises what `on_failure` raises.
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


async def until_done_or_cancelled(
    step: Step[Result], *, on_failure: Callable[[PaymentError], None]
) -> Result:
    """Repeat a step as `until_done` does, but only until the workflow is cancelled.

    It is for workflows that operators end. Raises PaymentError(PAYMENT_CANCELLED) then.
    """
    pause = PAUSES.first
    while True:
        try:
            return await step()
        except PaymentError as error:
            on_failure(error)
        with suppress(TimeoutError):
            await workflow.wait_condition(
                is_cancelled, timeout=pause, timeout_summary="pause before the next round"
            )
        raise_if_cancelled()
        pause = min(2 * pause, PAUSES.longest)
