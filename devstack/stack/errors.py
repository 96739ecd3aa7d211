"""Errors of the stack. Their texts are shown to the person who started it."""

from pathlib import Path

TAIL_LINES = 20
"""Lines of a log that are shown: enough for a Java stack trace and the message before it."""


class StackError(Exception):
    """A command such as `make up` has failed. Its text says why, and what the user can do."""


class ComponentError(StackError):
    """One component did not start, or ended.

    `summary` is the name and the reason, `tail` the last lines of the log; the text is both.
    """

    def __init__(self, component: str, reason: str, log: Path | None = None) -> None:
        self.summary = f"{component}: {reason}"
        self.tail = _last_lines(log) if log else ""
        super().__init__(f"{self.summary}\n{self.tail}".rstrip())
        self.component = component
        self.log = log


class NotReadyError(Exception):
    """A component responds, but is not ready yet. This is usual while it starts."""


def _last_lines(log: Path) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
