"""What the documentation says about configuration and HTTP is what the code does."""

import tomllib
from collections.abc import Iterator

import pytest

from api.main import VERSION
from bootstrap.settings import Settings
from tests.contract import CONTRACTS, DOCS, text_of


def rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else default
        said = "not set" if shown is None else f"`{shown}`"
        yield f"| `{name.upper()}` | {said} | {field.description} |"


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_contract_is_the_one_that_others_know(contract: str) -> None:
    """If the change is meant, `make contract` writes it down."""
    assert (DOCS / contract).read_text() == text_of(contract)


def test_there_is_one_version() -> None:
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


def test_every_setting_is_documented() -> None:
    documented = [
        line
        for line in (DOCS / "configuration.md").read_text().splitlines()
        if line.startswith("| `")
    ]

    assert documented == list(rows())
