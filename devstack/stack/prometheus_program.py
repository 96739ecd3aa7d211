"""Prometheus and promtool from Debian's package, which is unpacked and not installed."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack.stack import cache
from devstack.stack.errors import ComponentError

PACKAGE = "prometheus"
PROMTOOL = "promtool"


def directory() -> Path:
    """The directory that has the programs once they are unpacked."""
    return _root() / "usr/bin"


def unpack() -> None:
    """Download the package and unpack it, into the cache of this user.

    Raises ComponentError if apt-get does not know the package, or if there is no dpkg.
    """
    cache.directory().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache.directory()) as name:
        _run("apt-get", "download", PACKAGE, folder=name)
        [package] = Path(name).glob(f"{PACKAGE}_*.deb")
        _run("dpkg", "-x", package.name, "unpacked", folder=name)
        shutil.rmtree(_root(), ignore_errors=True)
        Path(name, "unpacked").rename(_root())


def _root() -> Path:
    return cache.directory() / "prometheus"


def _run(*command: str, folder: str) -> None:
    try:
        ran = subprocess.run(command, cwd=folder, check=False)
    except OSError as error:
        raise ComponentError("prometheus", f"`{command[0]}` cannot be run: {error}") from error
    if ran.returncode:
        raise ComponentError("prometheus", f"`{' '.join(command)}` has failed")
