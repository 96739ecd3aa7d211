"""Imports point one way, and a contract that is broken is noticed."""

import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract

CONFIGURATION = read_configuration(str(Path(__file__).parents[3] / "pyproject.toml"))
OPTIONS = {contract["id"]: contract for contract in CONFIGURATION["contracts_options"]}
TYPES: dict[str, Any] = {
    "layers": LayersContract,
    "protected": ProtectedContract,
    "forbidden": ForbiddenContract,
}
BROKEN = [
    ("layers", "domain.money", "db.tables"),
    ("layers", "db.payments", "activities.ports"),
    ("layers", "activities.charges", "workflows.policies"),
    ("layers", "workflows.payment", "api.schemas"),
    ("layers", "db.engine", "workflows.prepare"),
    ("composition", "api.routes", "bootstrap.settings"),
    ("composition", "db.engine", "bootstrap.settings"),
    ("composition", "activities.charges", "activities.adapters.gateway"),
    ("composition", "workflows.payment", "activities.adapters.kafka"),
    ("foundation", "bootstrap.settings", "domain.names"),
    ("workflows", "workflows.payment", "httpx"),
    ("workflows", "workflows.steps", "db.payments"),
    ("workflows", "activities.records", "db.payments"),
    ("workflows", "domain.money", "redis"),
    ("production", "api.main", "devstack.neighbours.gateway"),
    ("production", "workflows.worker", "tests"),
    ("production", "db.engine", "benchmarks.latency"),
    ("production", "activities.charges", "stripe"),
    ("devstack", "devstack.stack.apps", "devstack.neighbours.gateway"),
    ("devstack", "devstack.neighbours.service", "devstack.stack.ports"),
    ("devstack", "devstack.neighbours.journal", "devstack.demo.shop"),
    ("devstack", "devstack.stack.stack", "devstack.demo.shop"),
    ("devstack", "devstack.demo.demonstration", "devstack.__main__"),
    ("database", "api.routes", "sqlalchemy"),
    ("database", "activities.records", "asyncpg"),
    ("neighbours", "activities.verification", "httpx"),
    ("neighbours", "api.readiness", "aiokafka"),
    ("redis", "db.payments", "redis"),
    ("traces", "workflows.payment", "opentelemetry"),
    ("traces", "activities.charges", "opentelemetry"),
    ("layers", "api.payments", "audit.books"),
    ("composition", "audit.sources", "bootstrap.settings"),
    ("production", "audit.sources", "tests"),
    ("database", "audit.sources", "sqlalchemy"),
    ("neighbours", "audit.sources", "httpx"),
    ("neighbours", "audit.__main__", "aiokafka"),
    ("composition", "audit.sources", "activities.adapters.gateway_ledger"),
]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    packages = CONFIGURATION["session_options"]["root_packages"]
    return grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)


def is_kept(contract_id: str, graph: grimp.ImportGraph) -> bool:
    options: dict[str, Any] = OPTIONS[contract_id]
    contract = TYPES[options["type"]](options["name"], CONFIGURATION["session_options"], options)
    return bool(contract.check(deepcopy(graph), verbose=False).kept)


@pytest.mark.parametrize("contract_id", OPTIONS)
def test_every_contract_is_kept(contract_id: str, graph: grimp.ImportGraph) -> None:
    assert is_kept(contract_id, graph)


@pytest.mark.parametrize(("contract_id", "importer", "imported"), BROKEN)
def test_a_broken_contract_is_noticed(
    contract_id: str, importer: str, imported: str, graph: grimp.ImportGraph
) -> None:
    changed = deepcopy(graph)
    changed.add_import(importer=importer, imported=imported)

    assert not is_kept(contract_id, changed)


def test_every_contract_is_seen_to_be_broken() -> None:
    assert {contract_id for contract_id, _, _ in BROKEN} == OPTIONS.keys()


@pytest.mark.parametrize(
    ("package", "libraries"),
    [
        ("domain", {"pydantic", "orjson", "iso4217"}),
        ("db", {"sqlalchemy", "alembic", "asyncpg", "opentelemetry"}),
    ],
)
def test_a_package_knows_no_other_library(
    package: str, libraries: set[str], graph: grimp.ImportGraph
) -> None:
    modules = {package, *graph.find_descendants(package)}
    imported = set().union(*map(graph.find_modules_directly_imported_by, modules))
    foreign = {name for name in imported if graph.is_module_squashed(name)}

    assert foreign - sys.stdlib_module_names <= libraries
