"""Workflow code gets time, ids and random numbers only from Temporal, and does no I/O.

The sandbox would notice at run time; our packages are passed through it, so this notices before.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

OUTSIDE_OF_WORKFLOWS = {"worker.py"}
WORKFLOW_CODE = [
    *(each for each in (ROOT / "workflows").glob("*.py") if each.name not in OUTSIDE_OF_WORKFLOWS),
    *(ROOT / "domain").glob("*.py"),
]
MODULES = {"random", "time", "os", "socket", "threading", "secrets", "subprocess", "pathlib"}
CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input", "sleep", "gmtime"}
FROM_TEMPORAL = "workflow"


def violations(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ({each.name for each in node.names} & MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            yield from _forbidden_call(node.func)


def _forbidden_call(function: ast.expr) -> Iterator[str]:
    if isinstance(function, ast.Name) and function.id in CALLS:
        yield function.id
    if isinstance(function, ast.Attribute) and function.attr in CALLS:
        owner = function.value
        if not (isinstance(owner, ast.Name) and owner.id == FROM_TEMPORAL):
            yield function.attr


@pytest.mark.parametrize("file", WORKFLOW_CODE, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_workflow_code_is_deterministic(file: Path) -> None:
    assert list(violations(file.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from random import choice",
        "datetime.now(UTC)",
        "asyncio.sleep(1)",
        "uuid4()",
    ],
)
def test_what_is_not_deterministic_is_noticed(source: str) -> None:
    assert list(violations(source))


def test_temporal_may_tell_the_time() -> None:
    assert list(violations("workflow.now()")) == []
