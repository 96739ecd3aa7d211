"""Progress on the console: one line per component, updated in place on a terminal."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from devstack.stack.states import State

_IN_PROGRESS = {State.STARTING, State.STOPPING}
_MARKS = {State.WAITING: Text("·", "dim"), State.FAILED: Text("✗", "red")}
_DONE = Text("✓", "green")
_REFRESHES_PER_SECOND = 12
"""Enough for a smooth spinner. Chosen, not measured."""


class Display:
    """A `Progress` that prints. `titles` holds the displayed name of each component.

    If the console is not a terminal, each new state is printed on a line of its own.
    """

    def __init__(self, console: Console, titles: Mapping[str, str]) -> None:
        self._console = console
        self._titles = titles
        self._states: dict[str, State] = {}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._spinner = Spinner("dots", style="cyan")

    def __call__(self, component: str, state: State) -> None:
        self._states[component] = state
        if state in _IN_PROGRESS:
            self._began[component] = time.monotonic()
        elif component in self._began:
            self._took[component] = time.monotonic() - self._began[component]
        if not self._console.is_terminal and state is not State.WAITING:
            self._console.print(f"{self._titles[component]}: {state}{self._seconds(component)}")

    @contextmanager
    def live(self) -> Iterator[None]:
        """While the context is open, keep the lines up to date on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, refresh_per_second=_REFRESHES_PER_SECOND):
            yield

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for component, state in self._states.items():
            mark = self._spinner if state in _IN_PROGRESS else _MARKS.get(state, _DONE)
            text = Text(f"{state}{self._seconds(component)}", "dim")
            table.add_row(mark, self._titles[component], text)
        return table

    def _seconds(self, component: str) -> str:
        return f" ({self._took[component]:.1f} s)" if component in self._took else ""
