"""Files and functions are short enough to read at once."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.repository import ROOT, python_files

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
DATA = {"tests/proofs/planted/bugs.py", "tests/replay/scenarios.py"}
"""Lists of entries. A reader looks up one entry, and does not read the file as a whole."""


def long_functions(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.name} has {lines} lines"


def test_only_data_takes_more_lines_than_a_file_may_have() -> None:
    long = {
        name
        for name in python_files()
        if len((ROOT / name).read_text().splitlines()) > MAX_FILE_LINES
    }

    assert long == DATA


def test_no_function_has_more_lines_than_it_may_have() -> None:
    found = {name: [*long_functions((ROOT / name).read_text())] for name in python_files()}

    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.parametrize(("lines", "is_long"), [(59, False), (60, True)])
@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_long_function_is_noticed(keyword: str, lines: int, is_long: bool) -> None:
    source = f"class A:\n  {keyword} f():\n" + "    pass\n" * lines

    assert bool([*long_functions(source)]) is is_long


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_data_file_says_so_in_its_first_line(name: str) -> None:
    assert "data" in (ROOT / name).read_text().partition("\n")[0].lower()
