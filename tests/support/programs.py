"""Programs that some tests need and that no Python package contains. Finds or installs them.

`python -m tests.support.programs browser` installs one with apt-get; `pgbouncer` is another, and
`prometheus` is only unpacked.
"""

import os
import shutil
import subprocess
import sys
from typing import NamedTuple, NoReturn

import pytest

from devstack.stack import prometheus_program
from devstack.stack.errors import ComponentError

REQUIRED = "REQUIRE_PROGRAMS"
"""Environment variable. .ci/run sets it, so that a missing program fails a test: there no test is
skipped."""
SYSTEM = "/usr/sbin"
"""The directory in which Debian installs servers. It is not on every user's PATH."""


def skip(reason: str) -> NoReturn:
    """Skip the running test, because a program that it needs is not installed.

    So everybody can run all other tests without Chromium, PgBouncer, promtool and Go. In .ci/run,
    which installs them and sets REQUIRED, the test fails instead.
    """
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


class Program(NamedTuple):
    title: str
    package: str
    names: tuple[str, ...]
    """The names of programs that can be used, the best first."""
    target: str
    """The target of the Makefile that installs it."""
    is_unpacked: bool = False
    """Whether the package is only unpacked into the user's cache. Then root is not needed, and no
    service is started."""

    @property
    def absent(self) -> str:
        return (
            f"This test needs {self.title}, which is not installed and is in no Python package. "
            f"Install it with `make {self.target}`. In .ci/run, where it is installed "
            "before the tests, a missing program is a failure."
        )

    @property
    def by_hand(self) -> str:
        return f"Install {self.title}, so that the PATH has {', '.join(self.names)}."

    def find(self) -> str | None:
        """The first program on the PATH that runs. On Ubuntu, one may only point to a snap."""
        path = f"{os.environ['PATH']}:{SYSTEM}:{prometheus_program.directory()}"
        found = (shutil.which(name, path=path) for name in self.names)
        return next((each for each in found if each and _runs(each)), None)

    def require(self) -> str:
        """The path of the program. If it is missing, the test is skipped.

        The test fails instead if the environment variable REQUIRED is set.
        """
        return self.find() or skip(self.absent)

    def install(self) -> None:
        """Install with apt-get. If that fails, exit with a message that says what to do."""
        if shutil.which("apt-get") is None:
            sys.exit(f"There is no apt-get here. {self.by_hand}")
        if self.is_unpacked:
            self._unpack()
            return
        self._apt("update")
        self._apt("install", "--yes", "--no-install-recommends", self.package)

    def _apt(self, *arguments: str) -> None:
        command = [*self._as_root(), "apt-get", *arguments]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"`{' '.join(command)}` has failed. {self.by_hand}")

    def _unpack(self) -> None:
        try:
            prometheus_program.unpack()
        except ComponentError:
            self._apt("update")  # apt-get may not know the package yet
            try:
                prometheus_program.unpack()
            except ComponentError as error:
                sys.exit(f"{error}. {self.by_hand}")

    def _as_root(self) -> list[str]:
        if os.geteuid() == 0:
            return []
        if sudo := shutil.which("sudo"):
            return [sudo]
        sys.exit(f"Only root may install packages, and there is no sudo here. {self.by_hand}")


CHROMIUM = Program(
    "Chromium",
    "chromium-headless-shell",
    (
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ),
    "browser",
)
"""Chromium without windows opens a page with a third of the CPU time of the whole browser."""
PGBOUNCER = Program("PgBouncer", "pgbouncer", ("pgbouncer",), "pgbouncer")
PROMTOOL = Program(
    "promtool",
    prometheus_program.PACKAGE,
    (prometheus_program.PROMTOOL,),
    "prometheus",
    is_unpacked=True,
)
PROGRAMS = {program.target: program for program in (CHROMIUM, PGBOUNCER, PROMTOOL)}


def _runs(path: str) -> bool:
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def main(target: str) -> None:
    program = PROGRAMS[target]
    if program.find() is None:
        program.install()
    found = program.find()
    if found is None:
        sys.exit(f"The installed program does not run. {program.by_hand}")
    print(found)


if __name__ == "__main__":
    main(sys.argv[1])
