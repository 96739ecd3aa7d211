"""A start of the stack: what it gives to its tools, and what it says when one of them fails."""

import os
import secrets
import sys
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from devstack.stack.errors import TAIL_LINES, ComponentError
from devstack.stack.kafka import cluster_id
from devstack.stack.process import Process


@pytest.mark.parametrize("byte", [0x00, 0xF8, 0xFB, 0xFF])
def test_the_id_of_a_cluster_is_never_read_as_an_option(
    monkeypatch: pytest.MonkeyPatch, byte: int
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda count: bytes([byte]) * count)

    assert not cluster_id().startswith("-")
    assert len(urlsafe_b64decode(cluster_id() + "==")) == 16


def test_two_clusters_have_two_ids() -> None:
    assert cluster_id() != cluster_id()


async def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    script = "print(*range(100), sep='\\n', flush=True); raise SystemExit('expected one argument')"

    with pytest.raises(ComponentError) as caught:
        await Process(tmp_path, "tool").run([sys.executable, "-c", script], os.environ)

    first, *said = str(caught.value).splitlines()
    assert first == "tool: ended with code 1"
    assert len(said) == TAIL_LINES
    assert said[-2:] == ["99", "expected one argument"]


def test_a_part_that_has_written_nothing_is_named_all_the_same(tmp_path: Path) -> None:
    failure = ComponentError("tool", "no answer", tmp_path / "none.log")

    assert str(failure) == "tool: no answer"
