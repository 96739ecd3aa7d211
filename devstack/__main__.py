"""The command line of the whole system on one machine: `python -m devstack up`."""

import asyncio
import fcntl
import importlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from devstack.stack.display import Display
from devstack.stack.failures import TAIL_LINES, PartFailed, StackError
from devstack.stack.process import ROOT
from devstack.stack.stack import PARTS, Stack
from devstack.stack.start import PREPARE
from devstack.stack.states import Status

DIRECTORY = ROOT / ".devstack"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.callback()
def cli() -> None:
    """The whole payment system on this machine, from packages alone."""
    # aiokafka reports each refused connection, and there are some while a broker starts.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@app.command()
def up() -> None:
    """Start whatever is down, and wait until payments are accepted."""
    began = time.monotonic()
    stack = _stack()
    settings = {"RATE_LIMIT": limit} if (limit := os.environ.get("RATE_LIMIT")) else {}
    _run(stack, lambda display: stack.up(environment=settings, progress=display))
    console.print(f"\nReady after {time.monotonic() - began:.1f} s.\n")
    _print_addresses(stack)


@app.command()
def down() -> None:
    """Stop everything. The data stays."""
    stack = _stack()
    _run(stack, lambda display: stack.down(progress=display))
    console.print("Nothing is running. `make up` starts it all again.")


@app.command()
def status() -> None:
    """List every part: its state, process id, running time and address."""
    for part in _stack().status():
        uptime = "" if part.uptime is None else str(timedelta(seconds=int(part.uptime)))
        print(f"{part.name:<10} {part.state:<16} {part.pid or '':>7} {uptime:>9}  {part.address}")


@app.command()
def logs(
    parts: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PARTS)}.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the ends of the parts' logs, or of all of them."""
    if unknown := set(parts or ()) - set(PARTS):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}")
    stack = _stack()
    files = [str(log) for part in parts or PARTS if (log := stack.log(part)).exists()]
    if not files:
        console.print("There are no logs yet. `make up` starts the system.")
        return
    os.execvp("tail", ["tail", "-n", str(TAIL_LINES), *(["-F"] if follow else []), *files])  # noqa: S606, S607


@app.command()
def reset() -> None:
    """Stop everything and delete all data and logs."""
    stack = _stack()
    _run(stack, lambda display: stack.down(progress=display))
    shutil.rmtree(DIRECTORY)
    console.print("All data is gone. `make up` starts afresh.")


@app.command()
def demo() -> None:
    """Start whatever is down, then show what the system does."""
    up()
    os.environ.update(_stack().environment())
    importlib.import_module("devstack.demo.demonstration").main()


def _stack() -> Stack:
    return Stack(DIRECTORY, external=os.environ)


def _run(stack: Stack, action: Callable[[Display], Coroutine[Any, Any, None]]) -> None:
    titles = {part.name: part.title for part in stack.status()}
    display = Display(console, {**titles, PREPARE: "Preparation"})
    try:
        with _alone(), display.shown():
            asyncio.run(action(display))
    except StackError as error:
        _explain(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("\nInterrupted. What this command started was stopped again.")
        raise typer.Exit(130) from None


@contextmanager
def _alone() -> Iterator[None]:
    DIRECTORY.mkdir(exist_ok=True)
    with (DIRECTORY / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError("another up, down or reset is under way; wait for its end") from None
        yield


def _explain(error: StackError) -> None:
    summary = error.summary if isinstance(error, PartFailed) else str(error)
    console.print(f"\n{summary}", style="red", markup=False)
    if isinstance(error, PartFailed) and error.log:
        console.print(error.tail, style="dim", markup=False)
        console.print(f"The whole log: {error.log}. What this command started was stopped again.")


def _print_addresses(stack: Stack) -> None:
    environment = stack.environment()
    addresses = {
        "Shop": environment["SHOP_URL"],
        "API docs": f"{environment['PAYMENT_API_URL']}/docs",
        "Temporal Web UI": environment["TEMPORAL_UI_URL"],
        **{part.title: part.address for part in stack.status() if _is_worth_showing(part)},
        "Logs": str(stack.log("api").parent),
        "Settings": f"source {DIRECTORY / 'env'}",
        "Next": "make demo, make status, make logs, make down",
    }
    for what, where in addresses.items():
        console.print(f"  {what:<16} {where}", markup=False)


def _is_worth_showing(part: Status) -> bool:
    return part.name not in {"shop", "api", "worker", "temporal"}


if __name__ == "__main__":
    app()
