"""The signal that something may have changed at the gateway, and the wait for it."""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

from domain import names
from workflows.cancellation import is_cancelled


class GatewayChanges:
    """Whether a signal has arrived since the last look at the gateway."""

    def __init__(self) -> None:
        self._has_signal = False

    def note(self) -> None:
        self._has_signal = True

    def clear(self) -> None:
        """Forget the signal, because a look follows at once."""
        self._has_signal = False

    async def wait(self, at_most: timedelta, summary: str, *, or_cancelled: bool = True) -> None:
        """Wait until a signal arrives or `at_most` has passed.

        A cancellation of the workflow also ends the wait, unless `or_cancelled` is false. `summary`
        describes the timer in the workflow's history.
        """
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._has_signal or (or_cancelled and is_cancelled()),
                timeout=at_most,
                timeout_summary=summary,
            )
        self.clear()


class WithGatewayChanges:
    """A workflow with the signal `look_again`, which the API sends after an event of the gateway.

    The signal has no content, because an event may be late, sent twice, or about something else.
    It may also be lost, so the workflow also looks by itself from time to time.
    """

    def __init__(self) -> None:
        self._changes = GatewayChanges()

    @workflow.signal(name=names.SIGNAL_LOOK_AGAIN)
    def look_again(self) -> None:
        self._changes.note()
