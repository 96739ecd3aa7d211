"""The fault simulation as a command: `python -m tests.proofs.simulation`.

It tries all single faults, all pairs of faults, and as many random cases as wanted, in this
process; with `--server`, on Temporal's time-skipping server, which takes ten times as long. A case
that violates a rule is printed as `case: rule: finding`. `--case` runs one case. `--part 2/5` runs
the second of five parts; a run that was stopped is resumed with the parts that are left.
"""

import asyncio
import gc
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from domain.gateways import GatewayName
from tests.proofs.simulation.cases import drawn, pairs, singles
from tests.proofs.simulation.engine import clock
from tests.proofs.simulation.faults import Case
from tests.proofs.simulation.in_process import simulator
from tests.proofs.simulation.on_server import simulating_on_server
from tests.proofs.simulation.scenario import Scenario, at
from tests.proofs.simulation.simulator import Finding, Simulator
from tests.support.proof import WHOLE, Part, PartOption, commit

AT_ONCE = 100
"""Cases in one batch. A batch runs in one process and on one server."""
PAIRED_AT_ONCE = 2
"""The same, where some 80 pairs come with each case."""
CORES = os.cpu_count() or 1
SINGLES = frozenset(each for each in singles() if len(each.faults) == 1)

console = Console(highlight=False, soft_wrap=True)


def main(  # noqa: PLR0917 (typer makes options of them)
    runs: Annotated[int, typer.Option(help="Random cases of up to six faults.")] = 0,
    seed: Annotated[int, typer.Option(help="The seed of the first random case.")] = 1,
    every_pair: Annotated[bool, typer.Option("--pairs/--no-pairs", help="All pairs.")] = True,
    scenario: Annotated[
        list[Scenario] | None, typer.Option(help="Try single faults and pairs only here.")
    ] = None,
    gateway: Annotated[
        GatewayName | None, typer.Option(help="Only scenarios at this gateway.")
    ] = None,
    case: Annotated[str, typer.Option(help="One case, such as `paid charge:lost`.")] = "",
    part: PartOption = WHOLE,
    server: Annotated[bool, typer.Option(help="Use the time-skipping server.")] = False,
    processes: Annotated[int, typer.Option(help="How many cases run at once.")] = CORES,
) -> None:
    """Try the faults, and compare the books after each case."""
    every = [Case.parse(case)] if case else cases(runs, seed, scenario or at(gateway))
    console.print(f"Commit {commit()}, seed {seed}, part {part}")
    began = time.monotonic()
    paired = every_pair and not case
    at_once = PAIRED_AT_ONCE if paired else AT_ONCE
    run = partial(_run_batch, paired=paired, on_server=server)
    findings = list(_findings(_batches(Part.parse(part).of(every), at_once), run, processes))
    _report(findings, time.monotonic() - began)
    raise typer.Exit(any(each.violations for each in findings))


def cases(runs: int, seed: int, scenarios: Sequence[Scenario]) -> list[Case]:
    """All single faults of these scenarios, and as many random cases of any."""
    chosen = [each for each in singles() if each.scenario in scenarios]
    return [*chosen, *(drawn(seed + number) for number in range(runs))]


def _findings(
    batches: Iterable[list[Case]], run: Callable[[list[Case]], list[Finding]], processes: int
) -> Iterator[Finding]:
    with ProcessPoolExecutor(processes, initializer=_prepare_process) as pool:
        parts = [pool.submit(run, batch) for batch in batches]
        for part in track(as_completed(parts), "Simulating", len(parts), console=console):
            for finding in part.result():
                for violation in finding.violations:
                    console.print(f"[red]✗[/red] {finding.case}: {violation[1]}: {violation[2]}")
                yield finding


def _batches(cases: Sequence[Case], at_once: int) -> Iterator[list[Case]]:
    rest = iter(cases)
    while batch := list(islice(rest, at_once)):
        yield batch


def _prepare_process() -> None:
    logging.disable(logging.CRITICAL)  # what the worker says of faults that are meant
    gc.freeze()  # what is imported is never garbage


def _run_batch(cases: Iterable[Case], *, paired: bool, on_server: bool) -> list[Finding]:
    if on_server:
        return asyncio.run(_run_on_server(cases, paired))
    return clock.run(_run(simulator(), cases, paired))


async def _run_on_server(cases: Iterable[Case], paired: bool) -> list[Finding]:
    async with simulating_on_server() as simulator:
        return await _run(simulator, cases, paired)


async def _run(simulator: Simulator, cases: Iterable[Case], paired: bool) -> list[Finding]:
    """Run the cases; if `paired`, also every pair that begins with one of their faults."""
    findings = []
    for case in cases:
        findings.append(single := await simulator.run(case))
        seconds = pairs(case, single.calls) if paired and case in SINGLES else ()
        findings += [await simulator.run(each) for each in seconds]
    return [each._replace(calls=[]) for each in findings]  # which nobody reads any more


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
