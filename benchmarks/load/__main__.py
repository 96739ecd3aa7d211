"""Measures the service under load: `python -m benchmarks.load --callers 32 --duration 30`.

It starts a system of its own with lean neighbours. With `--compare REVISION`, it measures that
revision and the present files in turn, with the same neighbours and load. With `--rows N`,
it measures the present files in turn with an empty database and with one that has N payments. With
`--observe metrics` or `--observe traces`, it measures them in turn without and with these.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import psutil
import typer
import uvloop
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table as Shown

from benchmarks.load import page, report
from benchmarks.load.costs import Costs, read_costs
from benchmarks.load.figures import Result
from benchmarks.load.measure import Plan, measure
from benchmarks.load.revision import (
    OUTPUT,
    Revision,
    RevisionError,
    present,
    present_commit,
    unpacked,
)
from benchmarks.load.system import NotIdleError, Service, running
from devstack.stack.errors import StackError

WARM_UP_SECONDS = 5
"""Load that is not measured: it opens connections and fills caches. Chosen, not measured."""
MAX_FOREIGN_CORES = 0.2
"""A result is marked if other programs used more processors meanwhile. Chosen, not measured."""

console = Console(highlight=False, soft_wrap=True)


def main(  # noqa: PLR0913, PLR0917 (one for each option of the command)
    callers: Annotated[int, typer.Option(min=2, help="Callers who pay in turn.")] = 32,
    duration: Annotated[int, typer.Option(min=2, help="Seconds of each load.")] = 30,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Also measure with this many arrivals a second.")
    ] = None,
    compare: Annotated[str | None, typer.Option(help="Also measure this Git revision.")] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Also measure with this many payments in PostgreSQL.")
    ] = None,
    observe: Annotated[
        Literal["metrics", "traces"] | None, typer.Option(help="Also measure with these.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of a comparison.")] = 5,
    output: Annotated[Path, typer.Option(help="Where reports are written.")] = OUTPUT / "reports",
) -> None:
    """Measure throughput, latencies, and what one payment costs."""
    plans = [Plan(duration), Plan(duration, callers)]
    plans += [Plan(duration, rate=rate)] if rate is not None else []
    try:
        revisions = _revisions(compare, rows, observe)
        measured = uvloop.run(_measure(revisions, plans, rounds if len(revisions) > 1 else 1))
    except (RevisionError, StackError, NotIdleError) as error:
        console.print(f"{error}", style="red", markup=False)
        raise typer.Exit(1) from None
    _write(measured, output / datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))


def _revisions(
    compare: str | None, rows: int | None, observe: Literal["metrics", "traces"] | None
) -> list[Revision]:
    """What is measured, in turn if it is more than one. Raises RevisionError."""
    if sum(map(bool, (compare, rows, observe))) > 1:
        raise typer.BadParameter("only one of --compare, --rows and --observe can be given")
    if observe:
        observed = replace(present(), name=f"with {observe}", observe=observe)
        return [replace(present(), name="without"), observed]
    if rows:
        full = replace(present(), name=f"{rows} payments", payments=rows)
        return [replace(present(), name="empty"), full]
    return [*([unpacked(compare)] if compare else []), present()]


async def _measure(
    revisions: Sequence[Revision], plans: Sequence[Plan], rounds: int
) -> report.Report:
    """Measure the revisions in turn, so that a machine that becomes slower is so for both."""
    results: dict[str, list[Sequence[Result]]] = {each.name: [] for each in revisions}
    costs: dict[str, Mapping[str, Costs]] = {}
    OUTPUT.mkdir(exist_ok=True)
    # Not in /tmp, which may be in memory: then nothing would wait for a disk.
    with TemporaryDirectory(prefix="system-", dir=OUTPUT) as directory:
        async with running(Path(directory)) as system:
            for number in range(1, rounds + 1):
                for each in revisions:
                    console.print(f"{each.name}, round {number} of {rounds}", style="bold")
                    async with system.serving(each) as service:
                        results[each.name].append(await _run(service, plans))
                        if each.name not in costs:
                            costs[each.name] = await read_costs(service)
    versions = [report.Version(name, results[name], costs[name]) for name in results]
    return report.Report(machine(), versions)


async def _run(service: Service, plans: Sequence[Plan]) -> list[Result]:
    """Warm up, then run each load, and print its figures."""
    columns = (TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[done]}"))
    results = []
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as progress:
        for plan in (replace(plans[1], seconds=WARM_UP_SECONDS), *plans):
            task = progress.add_task(str(plan), total=plan.seconds, done="")

            def show(seconds: float, done: int, task: TaskID = task) -> None:
                progress.update(task, completed=seconds, done=f"{done} done")

            results.append(await measure(service, plan, show))
            progress.remove_task(task)
            _print_result(results[-1], is_warm_up=len(results) == 1)
    return results[1:]


def _print_result(result: Result, *, is_warm_up: bool) -> None:
    latencies = result.latencies
    parts = [
        f"  {'warm-up, ' if is_warm_up else ''}{result.load}: {result.throughput:.1f} a second",
        f"p50 {latencies.p50:.0f} ms, p95 {latencies.p95:.0f} ms" if latencies else "none paid",
        f"{result.system_cpu_ms:.0f} ms of CPU time per payment",
    ]
    if result.other_statuses:
        parts.append(f"others: {dict(result.other_statuses)}")
    if result.foreign_cores > MAX_FOREIGN_CORES:
        parts.append(f"other programs used {result.foreign_cores:.1f} processors")
    console.print(", ".join(parts))


def _write(measured: report.Report, directory: Path) -> None:
    """Print the tables, and write them as text, JSON and HTML."""
    directory.mkdir(parents=True)
    recorded = Console(record=True, highlight=False, width=max(console.width, 120))
    recorded.print("\n" + ", ".join(f"{name}: {value}" for name, value in measured.machine.items()))
    for each in report.tables(measured):
        shown = Shown(*each.head, title=f"\n{each.title}", title_justify="left", box=SIMPLE)
        shown.columns[0].no_wrap = True
        for column in shown.columns[1:]:
            column.justify = "right"
        for row in each.rows:
            shown.add_row(*row)
        recorded.print(shown, each.note, markup=False)
    (directory / "report.txt").write_text(recorded.export_text())
    (directory / "report.json").write_text(measured.to_json())
    (directory / "report.html").write_text(page.page(measured))
    console.print(f"The report: {directory}/report.html, also as .txt and .json")


def machine() -> dict[str, str]:
    """Where and when it is measured."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "present": present_commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processors": f"{os.cpu_count()} x {model[0] if model else platform.machine()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "Python": platform.python_version(),
    }


if __name__ == "__main__":
    typer.run(main)
