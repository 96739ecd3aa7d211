"""Hostile neighbours as a command: `python -m tests.proofs.hostile`.

It sends answers through the adapters, then webhooks to the API, then makes whole payments. All are
made from seeds: a long run can be split into several, and what went wrong is run again by its seed.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import reduce
from operator import add
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from tests.proofs.hostile.answers import attempt
from tests.proofs.hostile.payments import Finding, hostile_cases
from tests.proofs.hostile.tally import Tally
from tests.proofs.hostile.webhooks import attack
from tests.support.proof import commit

PORTION = 1000
"""How many responses, or webhooks, are made from one seed."""
AT_ONCE = 100
"""How many payments run on one test server; then a new server is started."""

Attempts = Callable[[int, int], Coroutine[None, None, Tally]]
console = Console(highlight=False, soft_wrap=True)


def main(
    answers: Annotated[int, typer.Option(min=0, help="Answers through the adapters.")] = 100_000,
    payments: Annotated[int, typer.Option(min=0, help="Whole payments.")] = 5_000,
    webhooks: Annotated[int, typer.Option(min=0, help="Webhooks to the API.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the first thousand answers and payment.")] = 1,
) -> None:
    """Change the responses of other systems, and check what the service concludes."""
    logging.disable(logging.CRITICAL)  # each odd answer would be a line
    console.print(f"Commit {commit()}, from seed {seed} on")
    is_clean = _try(attempt, "answers", answers, seed) if answers else True
    if webhooks:
        is_clean &= _try(attack, "webhooks", webhooks, seed)
    if payments:
        is_clean &= _make_payments(payments, seed)
    raise typer.Exit(not is_clean)


def _try(attempts: Attempts, what: str, count: int, seed: int) -> bool:
    """Make the attempts, and print their outcomes. Returns whether none is wrong."""
    portions = range(seed, seed + -(-count // PORTION))
    done = (asyncio.run(attempts(each, PORTION)) for each in portions)
    tally = reduce(add, track(done, what.title(), len(portions), console=console), Tally())
    for outcome, times in sorted(tally.outcomes.items()):
        console.print(f"{times:>9,} x {outcome}", markup=False)
    console.print(f"{tally.outcomes.total():,} {what}, {len(tally.wrong)} of them wrong")
    console.print("\n".join(tally.wrong), markup=False)
    return not tally.wrong


def _make_payments(count: int, seed: int) -> bool:
    findings: list[Finding] = []
    for first in track(range(seed, seed + count, AT_ONCE), "Payments", console=console):
        last = min(first + AT_ONCE, seed + count)
        findings += asyncio.run(_some(range(first, last)))
    for ending, times in Counter(each.ending for each in findings).most_common():
        console.print(f"{times:>9,} x {ending}", markup=False)
    broken = [each for each in findings if each.violations]
    for each in broken:
        console.print(f"seed {each.seed}: {each.ending}: {each.violations}", markup=False)
    mutated = sum(each.mutated for each in findings)
    console.print(f"{len(findings):,} cases, {mutated:,} hostile answers, {len(broken)} broken")
    return not broken


async def _some(seeds: range) -> list[Finding]:
    async with hostile_cases() as cases:
        return [await cases.run(seed) for seed in seeds]


if __name__ == "__main__":
    typer.run(main)
