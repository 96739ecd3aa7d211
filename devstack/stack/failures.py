"""What can go wrong with the stack, in words for the person who started it."""

from pathlib import Path

TAIL_LINES = 20
"""How much of a log is shown: a Java error with its stack trace, and what was said before it."""


class StackError(Exception):
    """The stack cannot do what it was asked; the text says why and what to do."""


class PartFailed(StackError):  # noqa: N818 - says what happened
    """One part did not start, or ended. The text ends with the last lines of its log."""

    def __init__(self, part: str, reason: str, log: Path | None = None) -> None:
        self.summary = f"{part}: {reason}"
        self.tail = _last_lines(log) if log else ""
        super().__init__(f"{self.summary}\n{self.tail}".rstrip())
        self.part = part
        self.log = log


class NotReady(Exception):  # noqa: N818 - expected while a part starts
    """A part answers, but cannot serve yet."""


def _last_lines(log: Path) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
