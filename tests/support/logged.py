"""The log records of one module, since other code in the process may log during the test."""

import logging
from types import ModuleType

import pytest


def records(caplog: pytest.LogCaptureFixture, module: ModuleType) -> list[logging.LogRecord]:
    return [each for each in caplog.records if each.name == module.__name__]


def lines(caplog: pytest.LogCaptureFixture, module: ModuleType) -> list[str]:
    return [each.getMessage() for each in records(caplog, module)]
