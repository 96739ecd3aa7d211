"""Stripe's own mock server, which knows the published schema of its API. It needs Go.

It does not know states or keys: it only says whether a request is valid.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.programs import skip

NO_GO = (
    "This test needs Go to build Stripe's mock server, and Go is not installed. Install it: "
    "https://go.dev/doc/install. In .ci/run, a missing Go is a failure."
)
MODULE = "github.com/stripe/stripe-mock@v0.203.0"
"""The version whose schema is that of `activities.adapters.stripe.client.VERSION`."""
INSTALL_SECONDS = 300
START_SECONDS = 30
"""Time limit of its start in seconds. It needs less than one. Chosen, not measured."""


def install(directory: Path) -> Path:
    """Build the server in this directory, and return its path.

    Without Go, or if Go cannot get the server's module, the test is skipped. In .ci/run it fails.
    """
    _run_go("install", MODULE, GOBIN=str(directory))
    return directory / "stripe-mock"


def published_schemas() -> dict[str, Any]:
    """Stripe's published schemas of the objects of its API, by name. Needs Go as `install` does."""
    module = json.loads(_run_go("mod", "download", "-json", MODULE))
    specification = Path(module["Dir"]) / "embedded/openapi/spec3.json"
    schemas: dict[str, Any] = json.loads(specification.read_text())["components"]["schemas"]
    return schemas


def _run_go(*arguments: str, **variables: str) -> str:
    go = shutil.which("go") or skip(NO_GO)
    ran = subprocess.run(  # noqa: S603 (the program of the PATH, our own arguments)
        [go, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if ran.returncode:
        skip(
            f"This test needs {MODULE}, which Go cannot get here: {ran.stderr[-500:]} "
            "In .ci/run, that is a failure."
        )
    return ran.stdout


@asynccontextmanager
async def running(program: Path, directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the server, which listens on a socket file: on no port at all."""
    socket = directory / "stripe-mock.sock"
    process = await asyncio.create_subprocess_exec(
        program,
        *("-http-unix", socket, "-strict-version-check"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not socket.exists():  # noqa: ASYNC110 (it says nothing when it is ready)
                await asyncio.sleep(0.01)
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
            yield client
    finally:
        process.kill()
        await process.wait()
