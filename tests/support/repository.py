"""Where the repository is, and which Python files it has."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_files() -> list[str]:
    """The Python files of the production code and of the tests, as paths from `ROOT`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages: list[str] = settings["tool"]["mypy"]["packages"]
    files = (file for name in packages for file in (ROOT / name).rglob("*.py"))
    return sorted(file.relative_to(ROOT).as_posix() for file in files)
