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

from tests.proof import WHOLE, Part, commit
from tests.simulation.cases import drawn, pairs, singles
from tests.simulation.faults import Case, Scenario
from tests.simulation.simulator import Finding, simulating

AT_ONCE = 100
"""Cases that share a server; the server is new for the next ones."""
PAIRED_AT_ONCE = 2
"""The same, where some 80 pairs come with each case."""
SINGLES = frozenset(each for each in singles() if len(each.faults) == 1)

console = Console(highlight=False, soft_wrap=True)


def main(
    runs: Annotated[int, typer.Option(help="Random cases of up to six faults.")] = 0,
    seed: Annotated[int, typer.Option(help="The seed of the first random case.")] = 1,
    every_pair: Annotated[bool, typer.Option("--pairs/--no-pairs", help="All pairs.")] = True,
    scenario: Annotated[
        list[Scenario] | None, typer.Option(help="Try single faults and pairs only here.")
    ] = None,
    case: Annotated[str, typer.Option(help="One case, such as `paid charge:lost`.")] = "",
    part: Annotated[str, typer.Option(help="Of the cases only these, such as 2/5.")] = str(WHOLE),
) -> None:
    """Try the faults, and compare the books after each case."""
    every = [Case.parse(case)] if case else cases(runs, seed, scenario or list(Scenario))
    console.print(f"Commit {commit()}, seed {seed}, part {part}")
    began = time.monotonic()
    findings = list(_findings(Part.parse(part).of(every), paired=every_pair and not case))
    _report(findings, time.monotonic() - began)
    raise typer.Exit(any(each.violations for each in findings))


def cases(runs: int, seed: int, scenarios: Sequence[Scenario]) -> list[Case]:
    """All single faults of these scenarios, and as many random cases of any."""
    chosen = [each for each in singles() if each.scenario in scenarios]
    return [*chosen, *(drawn(seed + number) for number in range(runs))]


def _findings(cases: Sequence[Case], *, paired: bool) -> Iterator[Finding]:
    """Of every case and, if `paired`, of every pair that a single fault is the first of."""
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        at_once = PAIRED_AT_ONCE if paired else AT_ONCE
        parts = [processes.submit(_run_part, part, paired) for part in _parts(cases, at_once)]
        for part in track(as_completed(parts), "Simulating", len(parts), console=console):
            for finding in part.result():
                for violation in finding.violations:
                    console.print(f"[red]✗[/red] {finding.case}: {violation[1]}: {violation[2]}")
                yield finding


def _parts(cases: Sequence[Case], at_once: int) -> Iterator[list[Case]]:
    rest = iter(cases)
    while part := list(islice(rest, at_once)):
        yield part


def _run_part(cases: Iterable[Case], paired: bool) -> list[Finding]:
    logging.disable(logging.CRITICAL)  # what the worker says of faults that are meant

    async def run() -> list[Finding]:
        findings = []
        async with simulating() as simulator:
            for case in cases:
                findings.append(single := await simulator.run(case))
                seconds = pairs(case, single.calls) if paired and case in SINGLES else ()
                findings += [await simulator.run(each) for each in seconds]
        return findings

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
