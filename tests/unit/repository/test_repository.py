"""The version, make targets, CI and pre-commit files agree with each other."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from domain.version import VERSION
from tests.support.contract import asyncapi, openapi
from tests.support.repository import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, flags=re.MULTILINE))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = [*(ROOT / ".github" / "workflows").glob("*.yml")]
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def test_the_version_stands_in_one_place() -> None:
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert openapi()["info"]["version"] == VERSION
    assert asyncapi()["info"]["version"] == VERSION


def test_the_changelog_ends_with_this_version() -> None:
    titles = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert titles[:2] == ["Unreleased", VERSION]


def test_make_help_shows_every_target_in_a_group() -> None:
    make = ["make", "--no-print-directory", "-C", str(ROOT), "help"]
    help_text = subprocess.run(make, capture_output=True, text=True, check=True).stdout  # noqa: S603 (constant)
    groups = [group.splitlines() for group in help_text.strip().split("\n\n")]

    assert all(not title.startswith(" ") for title, *_ in groups)
    assert {line.split()[1] for _, *lines in groups for line in lines} == TARGETS


def jobs() -> Iterator[dict[str, Any]]:
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text())
        assert workflow["permissions"] == {}
        yield from workflow["jobs"].values()


def test_ci_runs_every_supported_python() -> None:
    [matrix] = [job["strategy"]["matrix"]["python"] for job in jobs() if "strategy" in job]
    lowest, above = re.findall(r"3\.(\d+)", PROJECT["requires-python"])

    assert matrix == [f"3.{minor}" for minor in range(int(lowest), int(above))]


def test_ci_runs_what_everybody_can_run() -> None:
    commands = [step["run"] for job in jobs() for step in job["steps"] if "run" in step]

    assert ".ci/run" in commands
    for command in commands:
        assert command == ".ci/run" or targets_of(command) <= TARGETS


def test_ci_may_only_read_and_pins_what_it_uses() -> None:
    for job in jobs():
        assert job["permissions"] == {"contents": "read"}
        for used in (step["uses"] for step in job["steps"] if "uses" in step):
            assert PINNED.fullmatch(used)


def test_the_hook_before_a_commit_calls_make() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    [hook] = [hook for repository in config["repos"] for hook in repository["hooks"]]

    assert targets_of(hook["entry"]) <= TARGETS


def targets_of(command: str) -> set[str]:
    make, *targets = command.split()
    assert make == "make"
    assert targets
    return set(targets)
