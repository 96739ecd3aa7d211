"""What the documentation says about configuration and HTTP is what the code does."""

from collections.abc import Iterator
from pathlib import Path

from bootstrap.settings import Settings
from tests.contract import FILE, contract

CONFIGURATION = Path(__file__).parents[2] / "docs" / "configuration.md"


def rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else default
        said = "not set" if shown is None else f"`{shown}`"
        yield f"| `{name.upper()}` | {said} | {field.description} |"


def test_the_contract_is_the_one_that_callers_know() -> None:
    """If the change is meant, `make contract` writes it down."""
    assert FILE.read_text() == contract()


def test_every_setting_is_documented() -> None:
    documented = [line for line in CONFIGURATION.read_text().splitlines() if line.startswith("| `")]

    assert documented == list(rows())
