"""Prepares a version of the service for a measurement: its files, and its Python packages."""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from devstack.stack.process import ROOT

OUTPUT = ROOT / ".load"
"""Where reports, unpacked revisions and their environments are."""
LOCK = Path("requirements/runtime.txt")
"""What API and worker need, pinned with hashes."""


class RevisionError(Exception):
    """A revision cannot be run. The text says why, and what the user can do."""


@dataclass(frozen=True)
class Revision:
    """A version of the service, with the name under which reports show it.

    `tree` is the directory with its files. Before it is measured, its database is filled with that
    number of `payments`. `observe` says whether it serves metrics or sends traces meanwhile.
    """

    name: str
    tree: Path
    payments: int = 0
    observe: Literal["metrics", "traces"] | None = None

    @property
    def python(self) -> Path:
        """The interpreter with the packages that its images have; made if it is missing.

        Packages for development are left out: some libraries import them if they are there, and
        then take more memory. Raises RevisionError.
        """
        return python_for(self.tree / LOCK)


def present() -> Revision:
    """The files of this directory, with changes that are not committed."""
    return Revision("present", ROOT)


def present_commit() -> str:
    """The commit of these files, and whether they differ from it; `unknown` without Git."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except RevisionError:
        return "unknown"
    return f"{commit}, with changes" if changed else commit


def unpacked(revision: str) -> Revision:
    """Unpack a revision below `.load`, unless it is there already. Raises RevisionError."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    tree = OUTPUT / "trees" / commit
    if not tree.exists():
        draft = tree.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        unpack(commit, draft)
        draft.rename(tree)
    if not (tree / LOCK).exists():
        raise RevisionError(f"{revision} has no {LOCK}: it is too old to be compared.")
    return Revision(commit[:12], tree)


def unpack(commit: str, directory: Path) -> None:
    """Write the files of a commit into the directory. Raises RevisionError if Git has it not."""
    with tarfile.open(fileobj=BytesIO(_run("git", "archive", commit))) as archive:
        archive.extractall(directory, filter="data")


def python_for(lock: Path) -> Path:
    """A Python below `.load/environments` that has exactly these packages. Raises RevisionError."""
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    directory = OUTPUT / "environments" / wanted[:12]
    python, installed = directory / "bin" / "python", directory / ".installed"
    if not installed.exists():
        _run(sys.executable, "-m", "venv", "--clear", str(directory))
        install = ("pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode")
        uv = Path(sys.executable).with_name("uv")
        _run(str(uv), *install, "--python", str(python), str(lock))
        installed.touch()
    return python


def temporal_settings(revision: Revision) -> dict[str, str]:
    """What the revision's `make up` sets in Temporal's dynamic config. Raises RevisionError."""
    read = "getattr(temporal, 'SETTINGS', None) or temporal._SETTINGS"
    script = f"import json; from devstack.stack import temporal; print(json.dumps({read}))"
    # Not the revision's Python: the development stack needs more packages than the images have.
    settings = json.loads(_run(sys.executable, "-c", script, directory=revision.tree))
    return {name: str(value) for name, value in settings.items()}


def _git(*arguments: str) -> str:
    return _run("git", *arguments).decode().strip()


def _run(*command: str, directory: Path = ROOT) -> bytes:
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip() or "no such revision"
        raise RevisionError(f"`{' '.join(command[:3])}` failed: {why}")
    return done.stdout
