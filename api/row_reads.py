"""When the row of a running payment is read, besides waiting for its workflow."""

from collections.abc import Iterator
from itertools import chain, repeat

FIRST_READ_SECONDS = 1.0
"""How long only the workflow is awaited, as long as Kafka responds. Most payments take less, so the
row is rarely read."""
EARLY_READ_SECONDS = 0.1
"""The same while Kafka does not respond: the row says `begun` as soon as a usual payment would have
ended. Chosen, not measured."""
LONGEST_PAUSE_SECONDS = 1.0
"""Longest pause between two reads of the row of a slow payment. Chosen, not measured."""
CUSTOMER_READ_SECONDS = 0.25
"""The pause between the first reads of a payment that may wait for its customer. The customer needs
the next action soon. A response of a bank takes a second or more. Chosen, not measured."""
CUSTOMER_READS = 40
"""The number of reads with that pause (10 s in all). After them the pauses are the longest ones.
Chosen, not measured."""


class RowReads:
    """The pauses before each read of a row.

    If a row had an irrevocable ending before its workflow had ended, its event waits for Kafka. The
    next events probably wait, too, so the next rows are read early.
    """

    def __init__(self) -> None:
        self._are_useful = False

    def pauses(self) -> Iterator[float]:
        """Yields pauses in seconds, and never ends. Each is twice the last, up to the longest."""
        pause = EARLY_READ_SECONDS if self._are_useful else FIRST_READ_SECONDS
        while True:
            yield pause
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def note(self, *, are_useful: bool) -> None:
        """Remember whether reading the row was useful for the latest payment.

        It was if the row said how the payment ended while its workflow was still running.
        """
        self._are_useful = are_useful


class CustomerReads(RowReads):
    """The pauses before each read of the row of a payment that may wait for its customer."""

    def pauses(self) -> Iterator[float]:
        """Yields pauses in seconds, and never ends: short ones at first, then the longest."""
        return chain(repeat(CUSTOMER_READ_SECONDS, CUSTOMER_READS), repeat(LONGEST_PAUSE_SECONDS))
