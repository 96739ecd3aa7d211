"""The append-only JSON-lines file in which a simulated neighbour keeps what happened."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Never

from domain import exact_json


def utc_now() -> datetime:
    return datetime.now(UTC)


def iso_utc(time: datetime) -> str:
    """ISO 8601 in UTC with microseconds and `Z`."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def loads_typed(text: bytes | str) -> Any:
    """Parse JSON with every number as an exact Decimal, so that it can be told from a string.

    Raises ValueError for anything that is not JSON in UTF-8, NaN and infinities included.
    """
    try:
        return json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("too deeply nested") from None


class Journal:
    """Effects in the order they happened, one line each: `seq`, `type`, `at` and `data`.

    State is what `apply(type, data)` makes of the lines, one after another: at the start of the
    recorded ones, later of each new one. A line is with the operating system before `append`
    returns, so it outlives the process; it is not synced to the disk.
    """

    def __init__(self, path: Path, apply: Callable[[str, Any], None]) -> None:
        self._path = path
        self._apply = apply
        lines = _whole_lines(path)
        for line in lines:
            entry = loads_typed(line)
            apply(entry["type"], entry["data"])
        self._last_seq = len(lines)
        self._file = path.open("ab")

    def append(self, kind: str, data: dict[str, Any]) -> None:
        """Write the line, then apply it."""
        seq = self._last_seq + 1
        entry = {"seq": seq, "type": kind, "at": iso_utc(utc_now()), "data": data}
        self._file.write(exact_json.dumps(entry) + b"\n")
        self._file.flush()
        self._last_seq = seq
        self._apply(kind, data)

    def close(self) -> None:
        self._file.close()

    def lines_after(self, seq: int, limit: int | None = None) -> list[bytes]:
        """The first `limit` lines with a higher sequence number than `seq`, as they were written.

        Without a limit, all of them.
        """
        end = None if limit is None else seq + limit
        with self._path.open("rb") as file:
            return [line.rstrip(b"\n") for line in islice(file, seq, end)]


def _whole_lines(path: Path) -> list[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    text = path.read_bytes()
    end = text.rfind(b"\n") + 1
    if end < len(text):
        # A process killed inside a write leaves half a line, whose effect nobody was told of.
        os.truncate(path, end)
    return text[:end].splitlines()


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
