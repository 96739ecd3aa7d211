"""A test that ran out of time does not go on while the next test runs."""

import subprocess
import sys
from pathlib import Path

from tests.support.repository import ROOT

TESTS = """
import asyncio

import pytest

at_work = []

@pytest.mark.timeout(1, func_only=True)
async def test_that_takes_too_long():
    try:
        at_work.append(True)
        await asyncio.Event().wait()
    finally:
        at_work.clear()

async def test_that_comes_next():
    assert at_work == []
"""


def test_a_test_that_ran_out_of_time_has_ended(tmp_path: Path) -> None:
    (tmp_path / "test_both.py").write_text(TESTS)
    plugins = ("-p", "tests.conftest", "-p", "no:randomly", "-p", "no:cacheprovider")
    options = ("-c", str(ROOT / "pyproject.toml"), *plugins)

    ran = subprocess.run(  # noqa: S603 (our own command)
        (sys.executable, "-m", "pytest", *options, str(tmp_path)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 failed, 1 passed" in ran.stdout
