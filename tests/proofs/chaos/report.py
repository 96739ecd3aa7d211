"""The report of a run: tables for the terminal, and the same as a page."""

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
from tests.proofs.chaos.deliveries import Deliveries
from tests.proofs.chaos.nemesis import PastFault
from tests.proofs.chaos.outages import Outage
from tests.proofs.chaos.secrets import Search
from tests.proofs.chaos.shoppers import Shoppers, Success
from tests.support.proof import Part

RECOVERY = "Recovery: from the fault's end until a payment asked for after it was answered as paid."

PADDING = (0, 3, 0, 0)


@dataclass(frozen=True)
class Run:
    """All that is reported of a run. Times are in seconds."""

    command: str
    commit: str
    seed: int
    part: Part
    seconds: float
    idle_after: float
    """From the end of the faults until every payment had ended and its event was read. Infinity if
    that did not happen."""
    shoppers: Shoppers
    past_faults: Sequence[PastFault]
    past_outages: Sequence[tuple[Outage, PastFault]]
    reconciled: Mapping[str, int]
    """The number of workflow runs of each payment that had lost its workflow, by payment id."""
    crashed: Sequence[str]
    books: Collection[Books]
    secrets: Search
    deliveries: Deliveries
    violations: Sequence[Violation]

    @property
    def statuses(self) -> Counter[int]:
        """How many responses had each HTTP status."""
        answers = self.shoppers.answers.values()
        return Counter(each.status for responses in answers for each in responses)

    @property
    def bugs(self) -> int:
        """How many responses had a status that only a bug of ours causes."""
        return self.statuses[HTTPStatus.INTERNAL_SERVER_ERROR]

    @property
    def is_clean(self) -> bool:
        """Whether every promise held.

        A search that finds no token in any start input proves nothing.
        """
        searched = bool(self.secrets.tokens_in_start_inputs) or not self.shoppers.with_cards
        broken = (
            self.violations or self.bugs or self.secrets.found or self.deliveries.wrongly_accepted
        )
        return searched and isfinite(self.idle_after) and not broken


def show(run: Run, page: Path) -> None:
    console = Console(record=True, highlight=False, width=100)
    console.print(f"\n[bold]Chaos[/bold]  {run.command}")
    console.print(f"Commit {run.commit}, seed {run.seed}, part {run.part}\n")
    console.print(_load(run), "")
    console.print(_faults(run.past_faults, run.shoppers.successes))
    console.print(f"[dim]{RECOVERY}[/dim]\n")
    console.print(_outages(run), "")
    for payment, runs in sorted(run.reconciled.items()):
        console.print(f"payment {payment} had lost its workflow: {runs} runs")
    console.print("\n[bold]The books[/bold]")
    for line in _audited(run).lines():
        console.print(line, markup=False)
    for place in run.secrets.found:
        console.print(f"✗ {place} has a token or a secret", markup=False)
    if run.deliveries.wrongly_accepted:
        console.print(f"✗ {run.deliveries.wrongly_accepted} webhooks should have been refused")
    if run.bugs:
        console.print(f"✗ {run.bugs} answers were 500: a bug, see the log of the API")
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
    kinds = {each.kind for each in run.past_faults}
    rows = {
        "purchases": f"{purchases} in {run.seconds:.0f} s, {rate:.1f} a second",
        "answers": ", ".join(
            f"{status}: {count}" for status, count in sorted(run.statuses.items())
        ),
        "paid again after the end": str(run.shoppers.paid_again),
        "requests without an answer": str(run.shoppers.unanswered),
        "customers who left without one": str(run.shoppers.left),
        "faults": f"{len(run.past_faults)}, of {len(kinds)} kinds",
        "outages": str(len(run.past_outages)),
        "payments that the reconciliation resumed": str(len(run.reconciled)),
        "components that ended without a fault": ", ".join(run.crashed) or "none",
        "searched for tokens and secrets": f"{run.secrets.places:,} places",
        "start inputs with a token": f"{run.secrets.tokens_in_start_inputs:,}",
        "webhooks sent": _counts(run.deliveries.sent),
        "webhooks accepted": _counts(run.deliveries.accepted),
        "everything ended after the last fault": f"{run.idle_after:.1f} s",
    }
    for row in rows.items():
        table.add_row(*row)
    return table


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "none"


def _faults(past_faults: Sequence[PastFault], successes: Sequence[Success]) -> Table:
    counts = Counter(each.kind for each in past_faults)
    figures = (Column(name, justify="right") for name in ("times", "recovery, median", "worst"))
    table = Table("Fault", *figures, box=None, padding=PADDING)
    for kind, times in sorted(_recoveries(past_faults, successes).items()):
        worst = f"{max(times):.1f} s" if times else ""
        median = f"{statistics.median(times):.1f} s" if times else ""
        table.add_row(kind, str(counts[kind]), median, worst)
    return table


def _outages(run: Run) -> Table:
    seconds = Column("seconds", justify="right")
    table = Table("Outage", "manner", seconds, box=None, padding=PADDING)
    for outage, fault in run.past_outages:
        table.add_row(outage.server, outage.manner, f"{fault.ended - fault.began:.0f}")
    return table


def _recoveries(
    past_faults: Sequence[PastFault], successes: Sequence[Success]
) -> Mapping[str, list[float]]:
    asked = sorted(successes)
    moments = [each.asked for each in asked]
    earliest = _earliest_answers(asked)
    recoveries: dict[str, list[float]] = {}
    for each in past_faults:
        times = recoveries.setdefault(each.kind, [])
        after = bisect_left(moments, each.ended)
        if after < len(asked):
            times.append(earliest[after] - each.ended)
    return recoveries


def _earliest_answers(asked: Sequence[Success]) -> list[float]:
    """For each payment, the earliest time at which it or a later request was answered."""
    backwards = accumulate((each.answered for each in reversed(asked)), min)
    return list(backwards)[::-1]
