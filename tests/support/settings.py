"""The messages with which the settings refuse values of environment variables."""

import pytest

from bootstrap.settings import read_settings


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> str:
    """The message with which the process ends if the variable `name` has the value `text`."""
    monkeypatch.setenv(name, text)
    with pytest.raises(SystemExit) as caught:
        read_settings()
    return str(caught.value)
