"""Schemathesis on a running API that requires tokens: all inputs that the contract allows."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

from api.identity import READ, REFUND, WRITE
from tests.support.contract import DOCS
from tests.support.tokens import a_token

PHASES = ("examples,coverage,fuzzing", "stateful")
"""First single requests, then sequences in which a response leads to a request."""
UNCHECKED = (
    "positive_data_acceptance",  # what is acceptable depends on the order and the currency
)


class Fuzzed(NamedTuple):
    """How many inputs were sent, and what Schemathesis found."""

    inputs: int
    is_clean: bool
    report: str


async def fuzz(
    api: str, ordering: str, issuer: str, *, examples: int, seed: int, work: Path
) -> Fuzzed:
    """Try up to `examples` inputs per operation, and as many sequences of them.

    All are of one customer, who sees nothing of what others have paid.
    """
    scope, customer = f"{READ} {WRITE} {REFUND}", str(uuid5(NAMESPACE_URL, f"fuzz {seed}"))
    token = a_token(iss=issuer, sub=customer, scope=scope, exp=2**32)
    options = (
        *("--url", api, "--header", f"Authorization: Bearer {token}"),
        *("--max-examples", str(examples), "--seed", str(seed)),
    )
    variables = {"ORDERING_URL": ordering, "CUSTOMER_ID": customer}
    runs = [await _run(phases, options, variables, work) for phases in PHASES]
    return Fuzzed(
        inputs=sum(run.inputs for run in runs),
        is_clean=all(run.is_clean for run in runs),
        report="\n".join(run.report for run in runs),
    )


async def _run(
    phases: str, options: Sequence[str], variables: Mapping[str, str], work: Path
) -> Fuzzed:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(DOCS / "openapi.json"),
        *("--phases", phases, "--exclude-checks", ",".join(UNCHECKED)),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
        *options,
        cwd=work,
        env={
            **os.environ,
            **variables,
            "PYTHONPATH": str(DOCS.parent),
            "SCHEMATHESIS_HOOKS": "tests.proofs.fuzz.hooks",
            "SCHEMATHESIS_PHASES": phases,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    report = output.decode()
    counted = re.search(r"([\d,]+) generated", report)
    inputs = int(counted[1].replace(",", "")) if counted else 0
    return Fuzzed(inputs, process.returncode == 0, report)
