"""Splits a long proof into parts that can be run separately, and names the proved commit."""

import re
import subprocess
from collections.abc import Sequence
from random import Random
from typing import Annotated, NamedTuple, Self, TypeVar

import pytest
import typer

from tests.support.repository import ROOT

Item = TypeVar("Item")


class Part(NamedTuple):
    """Part `number` of `parts`, counted from 1. All parts together are the whole proof."""

    number: int = 1
    parts: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2/5`. Raises ValueError for anything else."""
        found = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError(f"{text!r} is not a part such as 2/5")
        return cls(int(found[1]), int(found[2]))

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """This part of the items, the same every time. Slow items are spread over the parts."""
        mixed = Random(0).sample(items, len(items)) if self.parts > 1 else items
        return mixed[self.number - 1 :: self.parts]

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"


def parts_of_a_test(parts: int) -> list[object]:
    """The parts of a long test, for `parametrize`: `make test` runs the first, `make proof` all."""
    every = [Part(number, parts) for number in range(1, parts + 1)]
    return [
        pytest.param(part, id=str(part), marks=pytest.mark.proof if part.number > 1 else ())
        for part in every
    ]


def _checked(text: str) -> str:
    try:
        return str(Part.parse(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


PartOption = Annotated[
    str, typer.Option("--part", callback=_checked, help="Only a part of it, such as 2/5.")
]
WHOLE = "1/1"


def commit() -> str:
    """The commit that is proved, and whether files differ from it; `unknown` without Git."""
    try:
        named = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{named}, with changes" if changed else named


def _git(*arguments: str) -> str:
    command = ("git", *arguments)
    ran = subprocess.run(  # noqa: S603 (our own command)
        command, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()
