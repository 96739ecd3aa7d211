"""When the row of a running payment is read, besides waiting for its workflow."""

from collections.abc import Iterator

FIRST_READ_SECONDS = 1.0
"""How long only the workflow is awaited, as long as Kafka responds. Most payments take less, so the
row is rarely read."""
EARLY_READ_SECONDS = 0.1
"""The same while Kafka does not respond: the row says `begun` as soon as a usual payment would have
ended. Chosen, not measured."""
LONGEST_PAUSE_SECONDS = 1.0
"""Longest pause between two reads of the row of a slow payment. Chosen, not measured."""


class RowReads:
    """The pauses before each read of a row.

    If a row had an irrevocable ending before its workflow had ended, its event waits for Kafka. The
    next events probably wait, too, so the next rows are read early.
    """

    def __init__(self) -> None:
        self._are_useful = False

    def pauses(self) -> Iterator[float]:
        """The pauses in seconds, without end: each is twice the one before, up to the longest."""
        pause = EARLY_READ_SECONDS if self._are_useful else FIRST_READ_SECONDS
        while True:
            yield pause
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def note(self, *, are_useful: bool) -> None:
        """Note whether a payment with an event was known to have ended by its row."""
        self._are_useful = are_useful
