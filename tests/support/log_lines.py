"""The log lines that our code writes during a test, as the processes write them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from temporalio import workflow

from bootstrap import logs


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logs.formatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = json.loads(self.format(record))
        line.pop("message", None)  # which the log capture of pytest adds to the record
        self.lines.append(line)


@contextmanager
def log_lines(level: int = logging.INFO) -> Iterator[list[dict[str, Any]]]:
    """Yields a list of the lines that are logged in the block from `level` on, oldest first."""
    root, handler = logging.getLogger(), _Lines()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow.logger, "workflow_info_on_message", False)
        yield handler.lines
    root.setLevel(before)
    root.removeHandler(handler)
