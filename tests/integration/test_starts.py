"""A process that cannot start says in a line why, and what to do. It shows no traceback."""

import asyncio
import os
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from activities.adapters.kafka_topics import broker_hosts
from devstack.stack.ports import HOST
from tests.support.stacks import kafka_of
from tests.support.system import System

NOWHERE = "127.0.0.1:1"


async def start(system: System, module: str, **changes: str) -> str:
    """The output of a process that ends because it cannot start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        env={**os.environ, **system.stack.environment(), **changes},
        stdout=PIPE,
        stderr=STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "hunter2" not in said
    return said


async def test_every_server_that_is_down_is_named(system: System) -> None:
    database = system.stack.environment()["DATABASE_URL"].replace(":payments@", ":hunter2@")
    variables = {"DATABASE_URL": database, "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}

    first, second = (await start(system, "workflows.prepare", **variables)).splitlines()

    assert "password authentication failed" in first
    assert "correct DATABASE_URL" in first
    assert "Unable to bootstrap" in second
    assert "correct KAFKA_BOOTSTRAP_SERVERS" in second


async def test_a_port_that_is_taken_is_named(system: System) -> None:
    taken = system.stack.environment()["API_PORT"]

    *_, last = (await start(system, "api.main")).splitlines()

    assert last.startswith(f"The API cannot listen at 127.0.0.1:{taken}: ")
    assert "set API_HOST and API_PORT" in last


@pytest.mark.parametrize("module", ["api.main", "workflows.worker", "workflows.prepare"])
async def test_a_file_without_certificates_is_named(
    system: System, module: str, tmp_path: Path
) -> None:
    (tmp_path / "none.pem").write_text("hunter2")
    variables = {
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_SSL_CAFILE": str(tmp_path / "none.pem"),
    }

    said = await start(system, module, **variables)

    assert said.endswith("KAFKA_SSL_CAFILE: holds no certificates that can be read.\n")


@pytest.mark.parametrize("module", ["api.main", "workflows.worker", "workflows.prepare"])
async def test_production_begins_with_nothing_unsafe(system: System, module: str) -> None:
    said = await start(system, module, ENVIRONMENT="production")

    assert said.startswith("The configuration is not usable:\n")
    assert "  AUTH_ISSUER: " in said


async def test_the_hosts_of_the_brokers_are_found(system: System) -> None:
    assert await broker_hosts(kafka_of(system.stack)) == [HOST]
