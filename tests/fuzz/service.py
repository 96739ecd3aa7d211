"""Schemathesis on a running API that asks for tokens: every input that the contract suggests."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from api.identity import READ, REFUND, WRITE
from tests.contract import DOCS
from tests.tokens import a_token

UNCHECKED = (
    "positive_data_acceptance",  # what is acceptable depends on the order and the currency
)


class Fuzzed(NamedTuple):
    """How many inputs were tried, and what Schemathesis has found."""

    inputs: int
    is_clean: bool
    report: str


async def fuzz(
    api: str, ordering: str, issuer: str, *, examples: int, seed: int, work: Path
) -> Fuzzed:
    """Try up to `examples` inputs per operation and phase, and sequences of them."""
    scope = f"{READ} {WRITE} {REFUND}"
    token = a_token(iss=issuer, sub="fuzz", client_id="fuzz", scope=scope, exp=2**32)
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(DOCS / "openapi.json"),
        *("--url", api, "--header", f"Authorization: Bearer {token}"),
        *("--exclude-checks", ",".join(UNCHECKED)),
        *("--max-examples", str(examples), "--seed", str(seed)),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
        cwd=work,
        env={
            **os.environ,
            "ORDERING_URL": ordering,
            "PYTHONPATH": str(DOCS.parent),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    report = output.decode()
    counted = re.search(r"([\d,]+) generated", report)
    inputs = int(counted[1].replace(",", "")) if counted else 0
    return Fuzzed(inputs, process.returncode == 0, report)
