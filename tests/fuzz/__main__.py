"""Fuzzing over HTTP: `python -m tests.fuzz`.

A system of its own is started, asked everything that its OpenAPI description suggests, right and
wrong, alone and in sequences, and audited afterwards. The exit code is 1 if anything was found.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from audit.__main__ import read_settled
from audit.invariants import violations
from devstack.ports import Ports
from devstack.stack import Stack
from tests.fuzz.run import fuzz
from tests.issuer import issuing
from tests.stacks import another_server, settings_of

console = Console(highlight=False)


def main(
    examples: Annotated[int, typer.Option(min=1, help="Inputs per operation and phase.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the inputs.")] = 1,
) -> None:
    """Send what the contract suggests to a running system, and compare its books afterwards."""
    with TemporaryDirectory(prefix="fuzz-") as directory, issuing() as issuer:
        is_clean = asyncio.run(_run(Path(directory), issuer, examples, seed))
    raise typer.Exit(not is_clean)


async def _run(directory: Path, issuer: str, examples: int, seed: int) -> bool:
    began = datetime.now(UTC)
    stack = Stack(directory, Ports.free(), durable=False, ephemeral=True)
    await stack.up()
    try:
        ordering = stack.environment()["ORDERING_URL"]
        async with another_server(stack, auth_issuer=issuer) as api:
            found = await fuzz(api, ordering, issuer, examples=examples, seed=seed, work=directory)
        console.print(found.report, markup=False)
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        books = await read_settled(settings_of(stack), began, tomorrow)
    finally:
        await stack.down()
    broken = [violation for each in books for violation in violations(each)]
    payments = sum(len(each.payments) for each in books)
    refunds = sum(len(each.refunds) for each in books)
    console.print(f"{found.inputs:,} inputs made {payments} payments and {refunds} refunds")
    console.print("\n".join([*map(str, broken), f"{len(broken)} violations in their books"]))
    return found.is_clean and not broken


if __name__ == "__main__":
    typer.run(main)
