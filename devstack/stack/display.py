"""Progress for a person: one line for each part, alive on a terminal and plain elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from devstack.stack.states import State

_UNDER_WAY = {State.STARTING, State.STOPPING}
_MARKS = {State.WAITING: Text("·", "dim"), State.FAILED: Text("✗", "red")}
_DONE = Text("✓", "green")


class Display:
    """Call it as a `Progress`. `titles` has what each part is called."""

    def __init__(self, console: Console, titles: Mapping[str, str]) -> None:
        self._console = console
        self._titles = titles
        self._states: dict[str, State] = {}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._spinner = Spinner("dots", style="cyan")

    def __call__(self, part: str, state: State) -> None:
        self._states[part] = state
        if state in _UNDER_WAY:
            self._began[part] = time.monotonic()
        elif part in self._began:
            self._took[part] = time.monotonic() - self._began[part]
        if not self._console.is_terminal and state is not State.WAITING:
            self._console.print(f"{self._titles[part]}: {state}{self._seconds(part)}")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the lines up to date on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, refresh_per_second=12):
            yield

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for part, state in self._states.items():
            mark = self._spinner if state in _UNDER_WAY else _MARKS.get(state, _DONE)
            table.add_row(mark, self._titles[part], Text(f"{state}{self._seconds(part)}", "dim"))
        return table

    def _seconds(self, part: str) -> str:
        return f" ({self._took[part]:.1f} s)" if part in self._took else ""
