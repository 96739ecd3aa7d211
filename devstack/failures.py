"""What can go wrong with the stack, in words for the person who started it."""

from pathlib import Path


class StackError(Exception):
    """The stack cannot do what it was asked; the text says why and what to do."""


class PartFailed(StackError):  # noqa: N818 - says what happened
    """One part did not start, or ended."""

    def __init__(self, part: str, reason: str, log: Path | None = None) -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.log = log


class NotReady(Exception):  # noqa: N818 - expected while a part starts
    """A part answers, but cannot serve yet."""
