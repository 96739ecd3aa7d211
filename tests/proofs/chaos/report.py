"""What a run came to: tables for the terminal, and the same as a page."""

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate
from math import isfinite
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from audit.__main__ import Report
from audit.books import Books
from audit.invariants import Violation
from tests.proofs.chaos.nemesis import Struck
from tests.proofs.chaos.outages import Outage
from tests.proofs.chaos.shoppers import Shoppers, Success
from tests.support.proof import Part

RECOVERY = "Recovery: from the fault's end until a payment asked for after it was answered as paid."

PADDING = (0, 3, 0, 0)


@dataclass(frozen=True)
class Run:
    """Everything that is told of a run; times in seconds."""

    command: str
    commit: str
    seed: int
    part: Part
    seconds: float
    idle_after: float
    """From the end of the faults until every payment had ended and was heard of; or infinity."""
    shoppers: Shoppers
    struck: Sequence[Struck]
    suffered: Sequence[tuple[Outage, Struck]]
    reconciled: Mapping[str, int]
    """By payment that had lost its workflow, how many runs it needed."""
    died: Sequence[str]
    books: Collection[Books]
    violations: Sequence[Violation]

    @property
    def told(self) -> Counter[int]:
        """How often each HTTP status was answered."""
        answers = self.shoppers.answers.values()
        return Counter(each.status for told in answers for each in told)

    @property
    def bugs(self) -> int:
        """How often was answered what only a bug of ours answers."""
        return self.told[HTTPStatus.INTERNAL_SERVER_ERROR]

    @property
    def is_clean(self) -> bool:
        return not self.violations and not self.bugs and isfinite(self.idle_after)


def show(run: Run, page: Path) -> None:
    console = Console(record=True, highlight=False, width=100)
    console.print(f"\n[bold]Chaos[/bold]  {run.command}")
    console.print(f"Commit {run.commit}, seed {run.seed}, part {run.part}\n")
    console.print(_load(run), "")
    console.print(_faults(run.struck, run.shoppers.successes))
    console.print(f"[dim]{RECOVERY}[/dim]\n")
    console.print(_outages(run), "")
    for payment, runs in sorted(run.reconciled.items()):
        console.print(f"payment {payment} had lost its workflow: {runs} runs")
    console.print("\n[bold]The books[/bold]")
    for line in _audited(run).lines():
        console.print(line, markup=False)
    if run.bugs:
        console.print(f"✗ {run.bugs} answers were 500: a bug, which the log of the API tells")
    verdict = "[green]held[/green]" if run.is_clean else "[red]broken[/red]"
    console.print(f"\nEvery promise: {verdict}. Nothing was repaired by hand.")
    page.parent.mkdir(exist_ok=True)
    console.save_html(str(page))
    console.print(f"The same as a page: {page}")


def _audited(run: Run) -> Report:
    report = Report()
    for books in run.books:
        report.add(books, ())
    report.violations += run.violations
    return report


def _load(run: Run) -> Table:
    table = Table("The load", "", box=None, padding=PADDING)
    purchases = run.shoppers.purchases
    rate = purchases / run.seconds
    rows = {
        "purchases": f"{purchases} in {run.seconds:.0f} s, {rate:.1f} a second",
        "answers": ", ".join(f"{status}: {count}" for status, count in sorted(run.told.items())),
        "paid again after the end": str(run.shoppers.paid_again),
        "requests without an answer": str(run.shoppers.unanswered),
        "customers who left without one": str(run.shoppers.left),
        "faults": f"{len(run.struck)}, of {len({each.kind for each in run.struck})} kinds",
        "outages": str(len(run.suffered)),
        "payments that the reconciliation took up": str(len(run.reconciled)),
        "parts that died unstruck": ", ".join(run.died) or "none",
        "everything ended after the last fault": f"{run.idle_after:.1f} s",
    }
    for row in rows.items():
        table.add_row(*row)
    return table


def _faults(struck: Sequence[Struck], successes: Sequence[Success]) -> Table:
    counts = Counter(each.kind for each in struck)
    figures = (Column(name, justify="right") for name in ("times", "recovery, median", "worst"))
    table = Table("Fault", *figures, box=None, padding=PADDING)
    for kind, times in sorted(_recoveries(struck, successes).items()):
        worst = f"{max(times):.1f} s" if times else ""
        median = f"{statistics.median(times):.1f} s" if times else ""
        table.add_row(kind, str(counts[kind]), median, worst)
    return table


def _outages(run: Run) -> Table:
    seconds = Column("seconds", justify="right")
    table = Table("Outage", "manner", seconds, box=None, padding=PADDING)
    for outage, struck in run.suffered:
        table.add_row(outage.server, outage.manner, f"{struck.ended - struck.began:.0f}")
    return table


def _recoveries(
    struck: Sequence[Struck], successes: Sequence[Success]
) -> Mapping[str, list[float]]:
    asked = sorted(successes)
    moments = [each.asked for each in asked]
    earliest = _earliest_answers(asked)
    recoveries: dict[str, list[float]] = {}
    for each in struck:
        times = recoveries.setdefault(each.kind, [])
        after = bisect_left(moments, each.ended)
        if after < len(asked):
            times.append(earliest[after] - each.ended)
    return recoveries


def _earliest_answers(asked: Sequence[Success]) -> list[float]:
    """For each payment, when it or any that was asked for later was first answered."""
    backwards = accumulate((each.answered for each in reversed(asked)), min)
    return list(backwards)[::-1]
