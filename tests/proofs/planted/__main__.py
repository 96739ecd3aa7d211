"""`python -m tests.proofs.planted`: plant each bug in a copy, and check that a test catches it.

`--only WORD` chooses bugs; `--part 2/5` is the second of five parts of them.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.proofs.planted.bugs import BUGS, Bug
from tests.support.proof import Part, commit
from tests.support.repository import ROOT

AT_ONCE = 2
TESTS_FAILED = 1
NOT_COLLECTED = {2, 4}
TEST_SECONDS = 30
TEST_SECONDS_WITH_SERVERS = 90
RUN_SECONDS = 300
"""Of all tests that are to catch one bug, on a busy machine."""
UNCHANGED_SECONDS = 1800
"""Time limit of all those tests without a bug, on a busy machine."""
END_SECONDS = 30
PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider")
FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
BROKEN = re.compile(r"^ERROR (\S+)", re.MULTILINE)
TIMED_OUT = "Timeout (>"
"""What pytest-timeout says of a test."""


class Finding(NamedTuple):
    bug: Bug
    caught_by: str | None
    seconds: float
    output: str

    @property
    def is_sure(self) -> bool:
        """False if no test failed, or one ran out of time: a busy machine may be the cause."""
        return self.caught_by is not None and TIMED_OUT not in self.output

    def __str__(self) -> str:
        by_time = " (timed out)" if TIMED_OUT in self.output else ""
        return f"{self.bug.name}: {self.caught_by or 'NOT CAUGHT'}{by_time}, {self.seconds:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.planted", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="in the name, file or tests")
    parser.add_argument("--output", action="store_true", help="show what pytest said of the others")
    parser.add_argument("--part", type=Part.parse, default=Part(), help="of the bugs, such as 2/5")
    arguments = parser.parse_args()
    bugs = chosen(arguments.only, arguments.part)
    if not bugs:
        parser.error("no bug is chosen")
    print(f"Commit {commit()}, {arguments.part} of the bugs: {len(bugs)}", flush=True)
    with TemporaryDirectory(prefix="planted-") as directory:
        if not _passes_without_bugs(Path(directory), sorted({bug.caught_by for bug in bugs})):
            return 2
        findings = _plant(Path(directory), bugs)
    return _conclude(findings, show_output=arguments.output)


def chosen(word: str, part: Part) -> Sequence[Bug]:
    """The bugs of this part that have the word in their name, file or tests."""
    return part.of([bug for bug in BUGS if word in " ".join(bug[:2] + bug[4:5])])


def _passes_without_bugs(directory: Path, selections: Sequence[str]) -> bool:
    """Whether the tests pass without a bug. Otherwise they would prove nothing."""
    copy = _copy(directory / "unchanged")
    code, output = _pytest(copy, ["-n", str(AT_ONCE), *selections], UNCHANGED_SECONDS)
    if code:
        print(output, "\nThese tests fail without any bug: see to them first.", sep="")
    return code == 0


def _plant(directory: Path, bugs: Sequence[Bug]) -> list[Finding]:
    """Try some bugs at the same time, and then those that left a doubt again, alone."""
    findings = _try_all(directory, bugs, AT_ONCE)
    unsure = [finding.bug for finding in findings if not finding.is_sure]
    if unsure:
        print(f"{len(unsure)} of them again, one by one:", flush=True)
    again = _try_all(directory, unsure, 1)
    return [finding for finding in findings if finding.is_sure] + again


def _try_all(directory: Path, bugs: Sequence[Bug], at_once: int) -> list[Finding]:
    findings = []
    with ThreadPoolExecutor(at_once) as pool:
        for finding in pool.map(lambda job: _try(directory / str(job[0]), job[1]), enumerate(bugs)):
            print(finding, flush=True)
            findings.append(finding)
    return findings


def _conclude(findings: Sequence[Finding], *, show_output: bool) -> int:
    escaped = [finding for finding in findings if finding.caught_by is None]
    if show_output:
        for finding in escaped:
            print(f"\n--- {finding.bug.name}\n{finding.output}")
    print(f"{len(findings) - len(escaped)} of {len(findings)} caught")
    return 1 if escaped else 0


def _try(copy: Path, bug: Bug) -> Finding:
    started = time.monotonic()
    _copy(copy)
    file = copy / bug.file
    file.write_text(file.read_text().replace(bug.before, bug.after))
    code, output = _pytest(copy, [bug.caught_by], RUN_SECONDS)
    shutil.rmtree(copy, ignore_errors=True)
    return Finding(bug, _caught_by(bug, code, output), time.monotonic() - started, output)


def _caught_by(bug: Bug, code: int | None, output: str) -> str | None:
    """The test that failed. None if there is none: an error around a test does not count."""
    if code == TESTS_FAILED and (failed := FAILED.search(output)):
        return failed[1]
    if bug.at_import and code in NOT_COLLECTED and (broken := BROKEN.search(output)):
        return broken[1]
    return None


def _copy(directory: Path) -> Path:
    """Copy the tracked files, with uncommitted changes."""
    names = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, names.stdout.split("\0")):
        if (ROOT / name).exists():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, directory / name)
    return directory


def _pytest(copy: Path, selections: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Run the tests. Returns exit code and output; the code is None after a time-out."""
    with_servers = any("integration" in each for each in selections)
    timeout = TEST_SECONDS_WITH_SERVERS if with_servers else TEST_SECONDS
    process = subprocess.Popen(
        (sys.executable, *PYTEST, f"--timeout={timeout}", *selections),
        cwd=copy,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, _end(process)
    return process.returncode, output


def _end(process: subprocess.Popen[str]) -> str:
    os.killpg(process.pid, signal.SIGINT)  # as from a keyboard: the servers are ended too
    try:
        return process.communicate(timeout=END_SECONDS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


if __name__ == "__main__":
    sys.exit(main())
