"""Every command, file, address, setting and link that the pages name exists."""

import re
from collections.abc import Iterator
from dataclasses import astuple
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from bootstrap.settings import Settings
from devstack.ports import Ports
from tests.contract import openapi

ROOT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for pattern in ("*.md", "docs/**/*.md", ".github/**/*.md")
    for page in sorted(ROOT.glob(pattern))
}
HISTORY = "CHANGELOG.md"
"""It also names what a version has removed."""

TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
TOP_LEVEL = {each.name for each in ROOT.iterdir()}
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MAKE = re.compile(r"(?:^|[\s`])make((?: [a-z]+)+)")
MODULE = re.compile(r"python -m ([\w.]+)")
ADDRESS = re.compile(r"\b(?:localhost|127\.0\.0\.1):(\d+)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OPERATION = re.compile(r"(GET|POST|HEAD) (/[\w/{}-]+)")
NAME = re.compile(r"[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+")
PATH = re.compile(r"[\w.-]+(?:/[\w.*-]*)+|[\w-]+\.(?:py|md|json|yml|yaml|toml|http|txt)")

OF_OTHERS = {
    "--build": "docker compose",
    "--rm": "docker compose",
    "--wait": "docker compose",
    "SSL_CERT_FILE": "Python's ssl",
    "TEMPORAL_TLS_CLIENT_CERT_PATH": "Temporal's SDK",
    "TEMPORAL_TLS_CLIENT_KEY_PATH": "Temporal's SDK",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "Temporal's SDK",
}
"""Names that stand in no file of ours, with their owner."""
MADE_BY_RUNNING = {".venv", ".devstack", ".chaos"}


def code_of(text: str) -> Iterator[str]:
    """Each code block and each code span of a page."""
    yield from BLOCK.findall(text)
    yield from SPAN.findall(BLOCK.sub("", text))


def found(pattern: re.Pattern[str], *, in_history: bool = True) -> list[tuple[str, str]]:
    """Each page with each match of the pattern in its code; the last group counts."""
    return sorted(
        {
            (name, match[match.lastindex or 0])
            for name, text in PAGES.items()
            for code in code_of(text)
            for match in pattern.finditer(code)
            if in_history or name != HISTORY
        }
    )


@cache
def sources() -> str:
    """All that the pages may speak of: code, configuration, the contract."""
    folders = [each for each in ROOT.iterdir() if each.is_dir() and not each.name.startswith(".")]
    files = [*ROOT.glob("*")] + [file for each in folders for file in each.rglob("*")]
    suffixes = {".py", ".yml", ".toml", ".sh", ".json", ""}
    return "\n".join(
        file.read_text()
        for file in files
        if file.is_file()
        and file.suffix in suffixes
        and not {"histories", "planted"} & set(file.parts)
    )


def test_the_pages_are_found() -> None:
    assert {"README.md", HISTORY, "docs/http.md", "docs/decisions/README.md"} <= PAGES.keys()


@pytest.mark.parametrize(("page", "targets"), found(MAKE))
def test_a_make_command_exists(page: str, targets: str) -> None:
    assert set(targets.split()) <= TARGETS, page


@pytest.mark.parametrize(("page", "module"), found(MODULE, in_history=False))
def test_a_module_that_is_run_exists(page: str, module: str) -> None:
    spec = find_spec(module)

    assert spec is not None, page
    if spec.submodule_search_locations:
        spec = find_spec(f"{module}.__main__")
    assert spec is not None
    assert spec.origin is not None
    assert "__main__" in Path(spec.origin).name + Path(spec.origin).read_text()


@pytest.mark.parametrize(("page", "flag"), found(FLAG))
def test_a_flag_exists(page: str, flag: str) -> None:
    parameter = flag.removeprefix("--").replace("-", "_")  # typer makes flags of parameters
    written = rf"(?<![\w-]){flag}\b|^    {parameter}: "

    assert flag in OF_OTHERS or re.search(written, sources(), re.MULTILINE), page


def links() -> Iterator[tuple[str, str]]:
    for name, text in PAGES.items():
        for target in LINK.findall(BLOCK.sub("", text)):
            if not target.startswith(("https:", "http:")):
                yield name, target


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in HEADING.findall(page.read_text()))
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page

    assert file.exists()
    if anchor:
        assert anchor in anchors(file)


@pytest.mark.parametrize(
    ("page", "path"),
    [
        (page, path)
        for page, path in found(PATH, in_history=False)
        if path.split("/")[0] in TOP_LEVEL - MADE_BY_RUNNING or path.endswith(".py")
    ],
)
def test_a_path_exists(page: str, path: str) -> None:
    folders = (ROOT, (ROOT / page).parent)

    assert any(any(folder.glob(path.rstrip("/"))) for folder in folders), page


@pytest.mark.parametrize(
    ("page", "port"),
    sorted({(page, port) for page, text in PAGES.items() for port in ADDRESS.findall(text)}),
)
def test_an_address_is_one_of_the_running_system(page: str, port: str) -> None:
    assert int(port) in astuple(Ports()), page


def addresses() -> set[tuple[str, str]]:
    ours = {
        (method.upper(), path)
        for path, operations in openapi()["paths"].items()
        for method in operations
    }
    return {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in ours}


@pytest.mark.parametrize(
    ("page", "method", "path"),
    sorted(
        {
            (page, *match.groups())
            for page, text in PAGES.items()
            for code in SPAN.findall(BLOCK.sub("", text))
            if (match := OPERATION.fullmatch(code))
        }
    ),
)
def test_an_operation_is_ours_or_one_that_an_adapter_calls(
    page: str, method: str, path: str
) -> None:
    general = re.sub(r"\{\w+\}", "{}", path)
    adapters = "".join(file.read_text() for file in (ROOT / "activities/adapters").glob("*.py"))
    called = re.sub(r"\{[^}\"]*\}", "{}", adapters)

    assert (method, general) in addresses() or f'"{general}"' in called, page


@pytest.mark.parametrize(("page", "name"), found(NAME, in_history=False))
def test_a_setting_or_constant_exists(page: str, name: str) -> None:
    known = {each.upper() for each in Settings.model_fields} | OF_OTHERS.keys()

    assert name in known or re.search(rf"\b{name}\b", sources()), page


def test_the_map_names_every_folder() -> None:
    folders = {
        each.name
        for each in ROOT.iterdir()
        if each.is_dir() and (not each.name.startswith(".") or each.name in {".ci", ".github"})
    } - {"__pycache__"}

    for page, base in (("README.md", ""), ("docs/architecture.md", "../")):
        targets = set(LINK.findall(PAGES[page]))
        shown = {folder for folder in folders if f"{base}{folder}" in targets}
        assert shown == folders - ({"docs"} if base else set())


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([^|]+) \|", PAGES["docs/glossary.md"], flags=re.MULTILINE)[1:]

    assert words == sorted(words)
    assert len(words) == len(set(words))


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = set(LINK.findall(PAGES["docs/decisions/README.md"]))

    assert listed == {page.name for page in folder.glob("0*.md")}
