"""The container files fit the code: settings exist, imports are copied, nothing runs as root."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.settings import Settings
from tests.support.repository import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, each in SERVICES.items() if each["image"].startswith("payment-")]
ONE_OFF = {"temporal-schema", "temporal-namespace", "prepare"}
WITHOUT_PROBE = {"temporal-ui", "worker", "api"}
"""The API's probe is in its image. The worker has no port, and the UI's image has no client."""


NEIGHBOURS = [
    f"devstack.neighbours.{name}" for name in ("gateway", "stripe.app", "ordering", "inventory")
]
IMAGES = [
    ("Dockerfile.api", "", ["api.main"]),
    ("Dockerfile.worker", "worker", ["workflows.worker", "workflows.prepare", "audit.__main__"]),
    ("Dockerfile.worker", "neighbours", NEIGHBOURS),
    ("Dockerfile.worker", "shop", [*NEIGHBOURS, "devstack.demo.shop"]),
]


def first_party_imports(module: str, seen: set[str]) -> Iterator[str]:
    """The folders that a module needs: top-level packages, and packages in devstack."""
    file = ROOT / (module.replace(".", "/") + ".py")
    if module in seen or not file.exists():
        return
    seen.add(module)
    package, *rest = module.split(".")
    yield f"{package}/{rest[0]}" if package == "devstack" else package
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from first_party_imports(node.module, seen)
            for each in node.names:
                yield from first_party_imports(f"{node.module}.{each.name}", seen)


def copied(dockerfile: str, target: str) -> set[str]:
    """The folders that the stage `target` and its base stages copy. The last stage has no name."""
    stages: dict[str, tuple[str, str]] = {}
    for stage in re.split(r"^FROM ", (ROOT / dockerfile).read_text(), flags=re.MULTILINE)[1:]:
        base, _, name = stage.splitlines()[0].partition(" AS ")
        stages[name] = (base, stage)
    folders: set[str] = set()
    while target in stages:
        target, stage = stages[target]
        folders |= set(re.findall(r"^COPY ([\w/]+)/ \1/$", stage, flags=re.MULTILINE))
    return folders


@pytest.mark.parametrize(
    ("dockerfile", "target", "modules"),
    IMAGES,
    ids=["api", "worker", "neighbours", "shop"],
)
def test_an_image_holds_what_its_process_imports_and_no_more(
    dockerfile: str, target: str, modules: list[str]
) -> None:
    needed = {each for module in modules for each in first_party_imports(module, set())}

    assert copied(dockerfile, target) == needed


def run_in_image(target: str, directory: Path, *arguments: str) -> str:
    """Run Python with only those of our files that an image of Dockerfile.worker has."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for folder in copied("Dockerfile.worker", target):
        assert f"!{folder}" in ignored
        shutil.copytree(ROOT / folder, directory / folder)

    command = (sys.executable, *arguments)
    ran = subprocess.run(  # noqa: S603 (our own command)
        command, cwd=directory, env={}, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_audit_runs_in_the_image_of_the_worker(tmp_path: Path) -> None:
    assert "--hours" in run_in_image("worker", tmp_path, "-m", "audit", "--help")


@pytest.mark.parametrize(
    ("target", "modules"), [("neighbours", NEIGHBOURS), ("shop", ["devstack.demo.shop"])]
)
def test_the_neighbours_and_the_shop_find_their_modules_in_their_images(
    target: str, modules: list[str], tmp_path: Path
) -> None:
    run_in_image(target, tmp_path, "-c", f"import {', '.join(modules)}")


@pytest.mark.parametrize("name", ["prepare", "worker", "api"])
def test_every_variable_is_a_setting(name: str) -> None:
    known = {setting.upper() for setting in Settings.model_fields}

    assert set(SERVICES[name]["environment"]) <= known


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_ports_are_on_loopback(name: str) -> None:
    service = SERVICES[name]

    assert name in OURS or re.search(r":v?\d", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_OFF - WITHOUT_PROBE))
def test_services_tell_whether_they_are_healthy(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_prometheus_reads_the_api_and_the_worker_inside_the_network() -> None:
    configuration = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())
    sources = [each for job in configuration["scrape_configs"] for each in job["dns_sd_configs"]]

    assert [each["names"] for each in sources] == [["api"], ["worker"]]
    for source in sources:
        [name], port = source["names"], source["port"]
        assert SERVICES[name]["environment"]["METRICS_ADDRESS"] == f"0.0.0.0:{port}"
        assert not any(each.endswith(f":{port}") for each in SERVICES[name].get("ports", []))
    assert SERVICES["prometheus"]["profiles"] == ["observe"]
    assert "./deploy/observability:/etc/prometheus:ro" in SERVICES["prometheus"]["volumes"]
    files = {ROOT / "deploy/observability" / each for each in configuration["rule_files"]}
    assert all(file.exists() for file in files)


def test_a_database_that_is_being_set_up_is_not_healthy() -> None:
    """The image first runs a temporary server that has no network address."""
    _, program, *options = SERVICES["postgres"]["healthcheck"]["test"]

    assert program == "pg_isready"
    assert options[options.index("-h") + 1] == "127.0.0.1"


@pytest.mark.parametrize("name", sorted(ONE_OFF))
def test_what_prepares_is_tried_again(name: str) -> None:
    assert SERVICES[name]["restart"].startswith("on-failure")


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_OFF))
def test_what_stays_is_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_what_ends_is_waited_for_as_ended_and_what_stays_as_healthy(name: str) -> None:
    needed = SERVICES[name].get("depends_on", {})

    for other, how in needed.items():
        ends = other in ONE_OFF
        expected = "service_completed_successfully" if ends else "service_healthy"
        assert how["condition"] == expected
        assert ends or SERVICES[other]["healthcheck"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_nothing_but_their_work(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("dockerfile", ["Dockerfile.api", "Dockerfile.worker"])
def test_images_run_as_nobody_special(dockerfile: str) -> None:
    users = re.findall(r"^USER (\d+)$", (ROOT / dockerfile).read_text(), flags=re.MULTILINE)

    assert users[-1] == "10001"
