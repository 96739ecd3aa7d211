"""The file in which a simulated neighbour keeps its state: JSON lines that are only appended."""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from devstack.neighbours.decimal_json import loads_decimal
from devstack.neighbours.times import iso_utc, utc_now
from domain import exact_json


class Journal:
    """Everything that happened, oldest first, one line each: `seq`, `type`, `at` and `data`.

    `apply(type, data)` changes the neighbour's state in memory. It is called for every line: at
    the start for the lines of the file, later for each new line. So a restarted neighbour has the
    state that it had before.

    When `append` returns, the operating system has the line, so it survives the end of the
    process. It is not synced to the disk, so it may not survive the end of the machine.
    """

    def __init__(self, path: Path, apply: Callable[[str, Any], None]) -> None:
        self._path = path
        self._apply = apply
        lines = _complete_lines(path)
        for line in lines:
            entry = loads_decimal(line)
            apply(entry["type"], entry["data"])
        self._last_seq = len(lines)
        self._file = path.open("ab")

    def append(self, kind: str, data: dict[str, Any]) -> None:
        """Write a line of type `kind`, then apply it."""
        seq = self._last_seq + 1
        entry = {"seq": seq, "type": kind, "at": iso_utc(utc_now()), "data": data}
        self._file.write(exact_json.dumps(entry) + b"\n")
        self._file.flush()
        self._last_seq = seq
        self._apply(kind, data)

    def close(self) -> None:
        self._file.close()

    def lines_after(self, seq: int, limit: int | None = None) -> list[bytes]:
        """The lines with a higher sequence number, unchanged: the first `limit` of them, or all."""
        end = None if limit is None else seq + limit
        with self._path.open("rb") as file:
            return [line.rstrip(b"\n") for line in islice(file, seq, end)]


def _complete_lines(path: Path) -> list[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    text = path.read_bytes()
    end = text.rfind(b"\n") + 1
    if end < len(text):
        # A process that is killed while it writes leaves half a line. Its request got no response,
        # so the line may be removed.
        os.truncate(path, end)
    return text[:end].splitlines()
