"""The enumeration as a command: `python -m tests.simulation`.

All single faults, all pairs of faults, and as many random cases as wanted. A case that violates an
invariant is printed with what it violates; `--case` runs it again, alone. `--part 2/5` runs the
second of five parts.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from tests.proof import WHOLE, Part, PartOption, commit
from tests.simulation.faults import Case, Scenario, drawn, pairs, singles
from tests.simulation.simulator import Finding, simulating

AT_ONCE = 100
"""Cases that share a server; the server is new for the next ones."""

console = Console(highlight=False, soft_wrap=True)


def main(
    runs: Annotated[int, typer.Option(help="Random cases of up to six faults.")] = 0,
    seed: Annotated[int, typer.Option(help="The seed of the first random case.")] = 1,
    every_pair: Annotated[bool, typer.Option("--pairs/--no-pairs", help="All pairs.")] = True,
    scenario: Annotated[Scenario, typer.Option(help="Where pairs are tried.")] = Scenario.PAID,
    case: Annotated[str, typer.Option(help="One case, such as `paid charge:lost`.")] = "",
    part: PartOption = WHOLE,
) -> None:
    """Try the faults, and compare the books after each case."""
    every = [Case.parse(case)] if case else cases(runs, seed, scenario if every_pair else None)
    console.print(f"Commit {commit()}, seed {seed}, part {part}")
    began = time.monotonic()
    findings = list(_findings(Part.parse(part).of(every)))
    _report(findings, time.monotonic() - began)
    raise typer.Exit(any(each.violations for each in findings))


def cases(runs: int, seed: int, paired: Scenario | None) -> list[Case]:
    """All single faults, as many random cases, and all pairs in one scenario."""
    chosen = [*singles(), *(drawn(seed + number) for number in range(runs))]
    if paired is not None:
        chosen += pairs(paired)
    return chosen


def _findings(cases: Sequence[Case]) -> Iterator[Finding]:
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        parts = [processes.submit(_run_part, part) for part in _parts(cases)]
        for part in track(as_completed(parts), "Simulating", len(parts), console=console):
            for finding in part.result():
                for violation in finding.violations:
                    console.print(f"[red]✗[/red] {finding.case}: {violation[1]}: {violation[2]}")
                yield finding


def _parts(cases: Sequence[Case]) -> Iterator[list[Case]]:
    rest = iter(cases)
    while part := list(islice(rest, AT_ONCE)):
        yield part


def _run_part(cases: Iterable[Case]) -> list[Finding]:
    logging.disable(logging.CRITICAL)  # what the worker says of faults that are meant

    async def run() -> list[Finding]:
        async with simulating() as simulator:
            return [await simulator.run(case) for case in cases]

    return asyncio.run(run())


def _report(findings: Sequence[Finding], seconds: float) -> None:
    kinds = Counter(fault.kind for each in findings for fault in each.struck)
    violated = sum(bool(each.violations) for each in findings)
    console.print(", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    console.print(
        f"{len(findings)} cases, {sum(kinds.values())} faults struck, {violated} cases with "
        f"violations, {seconds:.0f} s"
    )


if __name__ == "__main__":
    typer.run(main)
