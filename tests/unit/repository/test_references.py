"""Every command, flag, file, address, setting and link that the pages name exists."""

import re
from collections.abc import Iterator
from dataclasses import astuple
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from bootstrap.settings import Settings
from devstack.stack.ports import Ports
from tests.support.contract import openapi
from tests.support.repository import ROOT

PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for pattern in ("*.md", "docs/**/*.md", ".github/**/*.md")
    for page in sorted(ROOT.glob(pattern))
}
HISTORY = "CHANGELOG.md"
"""The page about former versions. It may name files and settings that no longer exist."""
PRESENT = [page for page in PAGES if page != HISTORY]
MAPS = {"README.md": "", "docs/architecture.md": "../"}
"""The pages that have a map of the folders, with the path from the page to the root."""

BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"(?:^|\s)make((?: [a-z]+)+)")
MODULE = re.compile(r"python -m ([\w.]+)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
ADDRESS = re.compile(r"\b(?:localhost|127\.0\.0\.1):(\d+)")
OPERATION = re.compile(r"(GET|POST|HEAD) (/[\w/{}-]+)")
NAME = re.compile(r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b")
PATH = re.compile(r"[\w.-]+(?:/[\w.*-]*)+|[\w-]+\.(?:py|md|json|yml|yaml|toml|http|txt)")
PARAMETER = re.compile(r"^    (\w+): ", re.MULTILINE)

OF_OTHERS = {
    "--build": "docker compose",
    "--forward-to": "Stripe's CLI",
    "--profile": "docker compose",
    "--rm": "docker compose",
    "--schedule-id": "Temporal's CLI",
    "--task-queue": "Temporal's CLI",
    "--wait": "docker compose",
    "SSL_CERT_FILE": "Python's ssl",
    "TEMPORAL_TLS_CLIENT_CERT_PATH": "Temporal's SDK",
    "TEMPORAL_TLS_CLIENT_KEY_PATH": "Temporal's SDK",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "Temporal's SDK",
}
"""Names that are not in our files, with their owner."""
MADE_BY_RUNNING = {".venv", ".devstack", ".chaos", ".load"}


def code_of(page: str) -> Iterator[str]:
    """Each code block and each code span of a page."""
    yield from BLOCK.findall(PAGES[page])
    yield from SPAN.findall(BLOCK.sub("", PAGES[page]))


def named(page: str, pattern: re.Pattern[str]) -> set[str]:
    """What the code of a page names: the last group of each match."""
    matches = (match for code in code_of(page) for match in pattern.finditer(code))
    return {match[match.lastindex or 0] for match in matches}


@cache
def sources() -> str:
    """The code, configuration and contracts that pages may name."""
    folders = [each for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith(".")]
    files = [*ROOT.glob("*"), *(file for folder in folders for file in folder.rglob("*"))]
    suffixes = {".py", ".yml", ".toml", ".sh", ""}
    return "\n".join(
        file.read_text()
        for file in files
        if file.is_file() and file.suffix in suffixes and "planted" not in file.parts
    )


@cache
def words() -> set[str]:
    return set(re.findall(r"[\w-]+", sources())) | {each.upper() for each in Settings.model_fields}


@cache
def flags() -> set[str]:
    """Flags in the code, and the parameters that typer turns into flags."""
    parameters = PARAMETER.findall(sources())
    return words() | {f"--{parameter.replace('_', '-')}" for parameter in parameters}


def test_the_pages_are_found() -> None:
    assert {*MAPS, HISTORY, ".github/SECURITY.md", "docs/decisions/README.md"} <= PAGES.keys()


@pytest.mark.parametrize("page", PRESENT)
def test_make_commands_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (\S+)$", makefile, flags=re.MULTILINE))

    assert {each for command in named(page, MAKE) for each in command.split()} <= targets


@pytest.mark.parametrize("page", PRESENT)
def test_modules_that_are_run_exist(page: str) -> None:
    for module in named(page, MODULE):
        spec = find_spec(module)
        if spec is not None and spec.submodule_search_locations:
            spec = find_spec(f"{module}.__main__")
        assert spec is not None, module
        assert spec.origin is not None
        assert "__main__" in spec.origin + Path(spec.origin).read_text()


@pytest.mark.parametrize("page", PRESENT)
def test_flags_exist(page: str) -> None:
    assert named(page, FLAG) - OF_OTHERS.keys() <= flags()


@pytest.mark.parametrize("page", PRESENT)
def test_settings_and_constants_exist(page: str) -> None:
    assert named(page, NAME) - OF_OTHERS.keys() <= words()


@pytest.mark.parametrize("page", PRESENT)
def test_paths_exist(page: str) -> None:
    top_level = {each.name for each in ROOT.iterdir()} - MADE_BY_RUNNING
    folders = (ROOT, (ROOT / page).parent)

    for path in named(page, PATH):
        if path.split("/")[0] in top_level or path.endswith(".py"):
            assert any(any(folder.glob(path.rstrip("/"))) for folder in folders), path


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in LINK.findall(BLOCK.sub("", PAGES[page])):
        if not target.startswith("https:"):
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub creates for the headings."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(page.read_text()))
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_addresses_are_those_of_the_running_system(page: str) -> None:
    assert {int(port) for port in ADDRESS.findall(PAGES[page])} <= {*astuple(Ports())}


@pytest.mark.parametrize("page", PRESENT)
def test_operations_are_ours_or_called_by_an_adapter(page: str) -> None:
    for code in code_of(page):
        if match := OPERATION.fullmatch(code):
            method, path = match.groups()
            known = called() | served()
            assert (method, general(path)) in ours() or general(path) in known, code


@cache
def ours() -> set[tuple[str, str]]:
    paths = openapi()["paths"]
    return {(method.upper(), general(path)) for path in paths for method in paths[path]}


@cache
def called() -> set[str]:
    adapters = "".join(file.read_text() for file in (ROOT / "activities/adapters").glob("*.py"))
    return set(re.findall(r'"(/[^"]*)"', general(adapters)))


@cache
def served() -> set[str]:
    """The paths of the double of Stripe, with and without the version with which Stripe's begin."""
    files = (ROOT / "devstack/neighbours/stripe").glob("*.py")
    paths = re.findall(r'"(/[^"]*)"', general("".join(file.read_text() for file in files)))
    return {prefix + path for path in paths for prefix in ("", "/v1")}


def general(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"\{[^{}\"]*\}", "{}", path)


@pytest.mark.parametrize("page", MAPS)
def test_the_map_names_every_folder(page: str) -> None:
    folders = {each.name for each in ROOT.iterdir() if each.is_dir()} - {"__pycache__", "docs"}
    shown = {folder for folder in folders if f"{MAPS[page]}{folder}" in LINK.findall(PAGES[page])}

    assert shown == {each for each in folders if not each.startswith(".")} | {".ci", ".github"}


def test_the_glossary_is_in_order() -> None:
    _, *entries = re.findall(r"^\| ([^|]+) \|", PAGES["docs/glossary.md"], flags=re.MULTILINE)

    assert entries == sorted(set(entries))


def test_every_decision_is_listed_and_gives_its_reason() -> None:
    pages = {page.name: page.read_text() for page in (ROOT / "docs/decisions").glob("0*.md")}

    assert set(LINK.findall(PAGES["docs/decisions/README.md"])) == pages.keys()
    for name, text in pages.items():
        assert HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"], name
