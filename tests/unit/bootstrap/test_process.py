"""How our processes end: exit code, last output, and nothing after it."""

import subprocess
import sys

import pytest

from tests.support.repository import ROOT

PROGRAM = """
import atexit
from bootstrap.process import run

async def main():
    {statement}

atexit.register(print, "finalized")
run(main())
"""


@pytest.mark.parametrize(
    ("statement", "code", "last_line"),
    [
        ("print('done')", 0, "done"),
        ("raise SystemExit('Start PostgreSQL.')", 1, "Start PostgreSQL."),
        ("raise SystemExit(3)", 3, None),
        ("raise SystemExit", 0, None),
        ("raise ValueError('odd')", 1, "ValueError: odd"),
    ],
)
def test_a_process_ends_without_finalizing_the_interpreter(
    statement: str, code: int, last_line: str | None
) -> None:
    command = (sys.executable, "-c", PROGRAM.format(statement=statement))

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)

    said = (ran.stdout + ran.stderr).splitlines()
    assert ran.returncode == code
    assert (said[-1] if said else None) == last_line
    assert "finalized" not in said
