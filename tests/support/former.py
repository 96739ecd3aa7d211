"""Loads a previous version from Git into this process, beside the present one."""

import importlib
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.support.repository import ROOT

COMMIT = "e52f56de6356dca83640073a0c435497e51ad421"
"""The commit of version 0.1.0."""
LATEST = "04c95da64060de4e71b4bc0fe92adc9fb28c9726"
"""The commit before version 0.3.0, with the steps of 0.2.0."""
PACKAGES = frozenset({"activities", "api", "audit", "bootstrap", "db", "domain", "workflows"})


def unpack(directory: Path, commit: str = COMMIT) -> Path:
    """Write the files of a previous version into the directory, and return the directory."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    assert archive.returncode == 0, (
        f"The former version, commit {commit}, is not in this clone: "
        f"{archive.stderr.decode().strip()} Fetch the whole history: git fetch --unshallow"
    )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tree:
        tree.extractall(directory, filter="data")
    return directory


@dataclass(frozen=True)
class Former:
    """Modules of a previous version. What they import of ours is of that version, too."""

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
