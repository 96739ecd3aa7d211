"""The table of planted bugs still fits the code: each can be planted, and its tests exist."""

import ast
from collections import Counter

import pytest

from tests.proofs.planted.bugs import BUGS, Bug
from tests.support.repository import ROOT


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_be_planted(bug: Bug) -> None:
    source = (ROOT / bug.file).read_text()

    assert source.count(bug.before) == 1
    assert bug.after != bug.before
    if bug.file.endswith(".py"):
        ast.parse(source.replace(bug.before, bug.after))


@pytest.mark.parametrize("selection", sorted({bug.caught_by for bug in BUGS}))
def test_what_must_catch_a_bug_exists(selection: str) -> None:
    file, _, test = selection.partition("::")

    assert f"def {test.partition('[')[0]}" in (ROOT / file).read_text()


def test_every_constant_of_the_table_has_one_value() -> None:
    """A second value would also be used for the bugs that are meant to have the first one."""
    table = ast.parse((ROOT / "tests/proofs/planted/bugs.py").read_text())
    assigned = (node.targets for node in table.body if isinstance(node, ast.Assign))
    names = Counter(ast.unparse(target) for targets in assigned for target in targets)

    assert [name for name, times in names.items() if times > 1] == []


def test_every_bug_has_a_name_of_its_own() -> None:
    assert max(Counter(bug.name for bug in BUGS).values()) == 1
