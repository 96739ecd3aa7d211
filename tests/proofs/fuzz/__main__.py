"""Fuzzing: `python -m tests.proofs.fuzz`.

Hostile requests are sent to the application in process; then a system of its own is started, asked
everything that its OpenAPI description suggests, right and wrong, alone and in sequences, and
audited afterwards. The exit code is 1 if anything was found.
"""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from temporalio.client import Client

from audit.__main__ import read_ended
from audit.invariants import violations
from devstack.stack.ports import Ports
from devstack.stack.stack import Stack
from tests.proofs.chaos.idle import until_idle
from tests.proofs.fuzz.service import fuzz
from tests.proofs.fuzz.trial import MAX_CPU_SECONDS, Tally, attempt
from tests.support.issuer import issuing
from tests.support.proof import commit
from tests.support.stacks import another_server, settings_of

PORTION = 10_000
"""Inputs of one seed."""

console = Console(highlight=False)


def main(
    inputs: Annotated[int, typer.Option(min=0, help="Hostile requests in process.")] = 100_000,
    examples: Annotated[int, typer.Option(min=0, help="Per operation and phase of HTTP.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the inputs.")] = 1,
) -> None:
    """Send what nobody should, then what the contract suggests, and compare the books."""
    console.print(f"Commit {commit()}, seed {seed}")
    is_clean = _in_process(inputs, seed) if inputs else True
    if examples:
        with TemporaryDirectory(prefix="fuzz-") as directory, issuing() as issuer:
            is_clean &= asyncio.run(_over_http(Path(directory), issuer, examples, seed))
    raise typer.Exit(not is_clean)


def _in_process(inputs: int, seed: int) -> bool:
    portions = -(-inputs // PORTION)
    with ProcessPoolExecutor() as processes:
        done = processes.map(_portion, range(seed, seed + portions))
        tally = reduce(add, track(done, "Requests in process", portions, console=console))
    counts = ", ".join(f"{count:,} x {status}" for status, count in sorted(tally.statuses.items()))
    console.print(f"{tally.inputs:,} requests in process: {counts}")
    console.print(f"The dearest refusal took {1000 * tally.most_cpu_seconds:.1f} ms of CPU")
    return tally.most_cpu_seconds <= MAX_CPU_SECONDS


def _portion(seed: int) -> Tally:
    return asyncio.run(attempt(seed, PORTION))


async def _over_http(directory: Path, issuer: str, examples: int, seed: int) -> bool:
    began = datetime.now(UTC)
    stack = Stack(directory, Ports.free(), durable=False, ephemeral=True)
    await stack.up()
    try:
        ordering = stack.environment()["ORDERING_URL"]
        async with another_server(stack, auth_issuer=issuer) as api:
            found = await fuzz(api, ordering, issuer, examples=examples, seed=seed, work=directory)
        console.print(found.report, markup=False)
        temporal = await Client.connect(stack.environment()["TEMPORAL_ADDRESS"])
        await until_idle(settings_of(stack), temporal)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        books = await read_ended(settings_of(stack), began, tomorrow)
    finally:
        await stack.down()
    broken = [violation for each in books for violation in violations(each)]
    payments = sum(len(each.payments) for each in books)
    refunds = sum(len(each.refunds) for each in books)
    console.print(f"{found.inputs:,} requests made {payments} payments and {refunds} refunds")
    console.print("\n".join([*map(str, broken), f"{len(broken)} violations in their books"]))
    return found.is_clean and not broken


if __name__ == "__main__":
    typer.run(main)
