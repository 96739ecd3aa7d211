"""Imports the modules of an earlier version, taken from Git, beside those of the present one."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import revision

COMMITS = {
    "0.1.0": "e52f56de6356dca83640073a0c435497e51ad421",
    "0.2.0": "04c95da64060de4e71b4bc0fe92adc9fb28c9726",
    "0.3.0": "ef16d8c7b89fa38986c409637cbe5a6e75597b62",
}
"""A commit of each earlier version."""
PACKAGES = frozenset({"activities", "api", "audit", "bootstrap", "db", "domain", "workflows"})


def unpack(directory: Path, commit: str = COMMITS["0.1.0"]) -> Path:
    """Write the files of an earlier version into the directory, and return the directory."""
    try:
        revision.unpack(commit, directory)
    except revision.RevisionError as error:
        why = f"{error} Fetch the whole history: git fetch --unshallow"
        raise AssertionError(why) from error
    return directory


@dataclass(frozen=True)
class Former:
    """Modules of an earlier version. They import only modules of the same version."""

    harness: Any
    errors: Any
    fakes: Any
    workflow: Any


def load(tree: Path) -> Former:
    with _only_from(tree):
        return Former(
            harness=importlib.import_module("tests.workflow.conftest"),
            errors=importlib.import_module("domain.errors"),
            fakes=importlib.import_module("tests.fakes"),
            workflow=importlib.import_module("workflows.worker"),
        )


@contextmanager
def _only_from(tree: Path) -> Iterator[None]:
    """In the block, import our packages from this tree. Afterwards, restore the present ones."""
    ours = _loaded()
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(tree))
    try:
        yield
    finally:
        sys.path.remove(str(tree))
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(ours)


def _loaded() -> dict[str, Any]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in {*PACKAGES, "tests", "devstack"}
    }
