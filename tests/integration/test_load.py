"""The load tool runs from beginning to end, also against a former revision or a full database."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.stack.process import ROOT


@pytest.mark.proof
@pytest.mark.timeout(600)  # about 75 s on a quiet machine
@pytest.mark.parametrize(
    "other", [("--compare", "HEAD"), ("--rows", "1000"), ("--observe", "traces")], ids="".join
)
def test_two_sides_are_measured_and_reported(tmp_path: Path, other: tuple[str, ...]) -> None:
    options = ("--callers", "2", "--duration", "3", "--rate", "2", "--rounds", "1")
    command = (sys.executable, "-m", "benchmarks.load", *options, *other)

    ran = subprocess.run(  # noqa: S603 (our own command)
        (*command, "--output", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    [directory] = tmp_path.iterdir()
    assert {each.name for each in directory.iterdir()} == {
        *("report.txt", "report.json", "report.html")
    }
    report = json.loads((directory / "report.json").read_text())
    for version in report["versions"]:
        [loads] = version["rounds"]
        assert [each["load"] for each in loads] == [
            *("one caller", "2 callers", "2 arrivals a second")
        ]
        assert all(each["paid"] and not each["other_statuses"] for each in loads)
        assert all(each["cpu_ms"]["worker"] > 0 for each in loads)
    assert all(each["ratio"] > 0 for each in report["comparison"])
