"""Programs for the tests: a present one is used, a missing one is installed or asked for."""

from pathlib import Path

import pytest

from tests.support import programs, stripe_mock
from tests.support.programs import CHROMIUM, PROMTOOL


class Machine:
    """A machine that has only the programs that a test puts on its PATH."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs

    def has(self, name: str, *commands: str) -> str:
        program = self._programs / name
        program.write_text("\n".join(("#!/bin/sh", *commands)))
        program.chmod(0o755)
        return str(program)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "SYSTEM", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return Machine(tmp_path)


def test_the_best_browser_that_is_there_is_used(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("google-chrome")
    shell = machine.has("chromium-headless-shell")
    machine.has("apt-get", "exit 1")

    programs.main("browser")

    assert capsys.readouterr().out == f"{shell}\n"


def test_a_browser_that_does_not_run_is_none(machine: Machine) -> None:
    machine.has("chromium-browser", "exit 1")

    assert CHROMIUM.find() is None


def test_a_browser_that_is_not_there_is_installed(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = tmp_path / "chromium"
    install = f"{{ echo '#!/bin/sh' >{browser}; /bin/chmod +x {browser}; }}"
    machine.has("apt-get", f'[ "$1" = update ] || {install}')

    programs.main("browser")

    assert capsys.readouterr().out == f"{browser}\n"


DOWNLOADS = '[ "$1" = update ] || echo "" >"$2_1.0_amd64.deb"'
UNPACKS = """
/bin/mkdir -p "$3/usr/bin"
echo '#!/bin/sh' >"$3/usr/bin/promtool"
/bin/chmod +x "$3/usr/bin/promtool"
"""


def test_promtool_is_unpacked_by_anybody(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    machine.has("apt-get", DOWNLOADS)
    machine.has("dpkg", UNPACKS)

    programs.main("prometheus")

    unpacked = tmp_path / "cache/payment-service/prometheus/usr/bin/promtool"
    assert PROMTOOL.find() == str(unpacked)


def test_a_package_that_apt_does_not_know_is_looked_for_again(machine: Machine) -> None:
    knows = '[ "$1" = update ] && { echo >"$0.knows"; exit 0; }; [ -e "$0.knows" ] || exit 1'
    machine.has("apt-get", knows, DOWNLOADS)
    machine.has("dpkg", UNPACKS)

    programs.main("prometheus")

    assert PROMTOOL.find()


@pytest.mark.parametrize(
    ("apt", "dpkg", "reason"),
    [
        (None, None, "no apt-get here"),
        ("exit 1", None, "update` has failed"),
        ('[ "$1" = update ]', None, "download prometheus` has failed"),
        (DOWNLOADS, None, "`dpkg` cannot be run"),
        (DOWNLOADS, "exit 1", "has failed"),
    ],
)
def test_who_cannot_unpack_promtool_is_told_what_to_do(
    machine: Machine, apt: str | None, dpkg: str | None, reason: str
) -> None:
    for name, command in (("apt-get", apt), ("dpkg", dpkg)):
        if command:
            machine.has(name, command)

    with pytest.raises(SystemExit, match=reason) as exit_:
        programs.main("prometheus")

    assert PROMTOOL.by_hand in str(exit_.value)


@pytest.mark.parametrize(
    ("apt", "reason"),
    [(None, "no apt-get here"), ("exit 1", "has failed"), ("exit 0", "does not run")],
)
def test_who_cannot_install_it_is_told_what_to_do(
    machine: Machine, apt: str | None, reason: str
) -> None:
    if apt:
        machine.has("apt-get", apt)

    with pytest.raises(SystemExit, match=reason) as exit_:
        programs.main("browser")

    assert CHROMIUM.by_hand in str(exit_.value)


def test_only_root_and_those_with_sudo_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    machine.has("apt-get")

    with pytest.raises(SystemExit, match="no sudo here"):
        programs.main("browser")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("required", "outcome"), [("1", "Failed"), (None, "Skipped")])
def test_a_test_that_needs_go_is_skipped_or_fails_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, required: str | None, outcome: str
) -> None:
    monkeypatch.delenv(programs.REQUIRED, raising=False)
    if required:
        monkeypatch.setenv(programs.REQUIRED, required)

    with pytest.raises(BaseException, match="needs Go") as ended:
        stripe_mock.install(tmp_path)

    assert type(ended.value).__name__ == outcome
