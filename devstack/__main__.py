"""The command line: `python -m devstack up` starts the whole system on this machine."""

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
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from devstack.stack.display import Display
from devstack.stack.errors import TAIL_LINES, ComponentError, StackError
from devstack.stack.process import ROOT
from devstack.stack.site import DOUBLE_KEY
from devstack.stack.stack import COMPONENTS, OPTIONAL, Stack
from devstack.stack.startup import PREPARE
from devstack.stack.states import ComponentStatus

DIRECTORY = ROOT / ".devstack"
"""Where `make up` keeps data, logs, pid files and the file `env`."""
PASSED_ON = ("GATEWAY", "CHECKOUT", "RATE_LIMIT", "PAYMENT_RETURN_URL")
"""Environment variables of `make up` that are passed to the processes."""
ALL = (*COMPONENTS, *OPTIONAL)
_NAMES = f"Any of {', '.join(ALL)}."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.callback()
def cli() -> None:
    """Run the whole payment system on this machine, without containers."""
    # aiokafka logs an error for each refused connection, and a starting broker refuses some.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@app.command()
def up() -> None:
    """Start whatever is down, and wait until payments are accepted.

    With GATEWAY=stripe in the environment, this also starts the Stripe-shaped gateway, and new
    payments use it. With CHECKOUT=hosted, too, customers give their card on its page. From then on
    it is always started, because its payments may be refunded. With STRIPE_API_KEY, too, new
    payments use the account of that key at Stripe, and the Stripe-shaped gateway is not started.
    With OBSERVE=1, Prometheus is started, too, and from then on always.
    """
    began = time.monotonic()
    stack = _stack()
    settings = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    if _has_own_key():
        if _double_was_used():
            _fail("There are payments at the double of Stripe, which has another key: make reset")
        settings = {"PAYMENT_RETURN_URL": stack.site.return_url, **settings}
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
    """List every component: its state, process id, running time and address."""
    for each in _stack().status():
        uptime = "" if each.uptime is None else str(timedelta(seconds=int(each.uptime)))
        print(f"{each.name:<10} {each.state:<16} {each.pid or '':>7} {uptime:>9}  {each.address}")


@app.command()
def logs(
    components: Annotated[list[str] | None, typer.Argument(help=_NAMES)] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until Ctrl-C.")] = False,
) -> None:
    """Show the last lines of these components' logs, or of all logs."""
    if unknown := set(components or ()) - set(ALL):
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}")
    stack = _stack()
    files = [str(log) for name in components or ALL if (log := stack.log(name)).exists()]
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
    if _has_own_key():
        _fail("The demo pays at the double of Stripe only: unset STRIPE_API_KEY")
    up()
    os.environ.update(_stack().environment())
    # Imported here: its libraries would slow the other commands down.
    importlib.import_module("devstack.demo.demonstration").main()


def _stack() -> Stack:
    is_new_at_double = os.environ.get("GATEWAY") == "stripe" and not _has_own_key()
    wanted = {
        "stripe": is_new_at_double or _double_was_used(),
        "prometheus": os.environ.get("OBSERVE") == "1" or (DIRECTORY / "data/prometheus").exists(),
    }
    optional = [name for name in OPTIONAL if wanted[name]]
    return Stack(DIRECTORY, external=os.environ, optional=optional)


def _has_own_key() -> bool:
    """Whether new payments are made with an account at Stripe, and not at the double."""
    key = os.environ.get("STRIPE_API_KEY", "")
    return os.environ.get("GATEWAY") == "stripe" and key not in {"", DOUBLE_KEY}


def _double_was_used() -> bool:
    return (DIRECTORY / "data/stripe").exists()


def _run(stack: Stack, action: Callable[[Display], Coroutine[Any, Any, None]]) -> None:
    titles = {each.name: each.title for each in stack.status()}
    display = Display(console, {**titles, PREPARE: "Preparation"})
    try:
        with _locked(), display.live():
            asyncio.run(action(display))
    except StackError as error:
        _print_error(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("\nInterrupted. What this command started was stopped again.")
        raise typer.Exit(130) from None


@contextmanager
def _locked() -> Iterator[None]:
    """Hold a lock file, so that no two commands start or stop components together."""
    DIRECTORY.mkdir(exist_ok=True)
    with (DIRECTORY / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError("another up, down or reset is running; wait for its end") from None
        yield


def _fail(message: str) -> NoReturn:
    console.print(message, style="red")
    raise typer.Exit(1)


def _print_error(error: StackError) -> None:
    summary = error.summary if isinstance(error, ComponentError) else str(error)
    console.print(f"\n{summary}", style="red", markup=False)
    if isinstance(error, ComponentError) and error.log:
        console.print(error.tail, style="dim", markup=False)
        console.print(f"The whole log: {error.log}. What this command started was stopped again.")


def _print_addresses(stack: Stack) -> None:
    environment = stack.environment()
    addresses = {
        "Shop": environment["SHOP_URL"],
        "API docs": f"{environment['PAYMENT_API_URL']}/docs",
        "Temporal Web UI": environment["TEMPORAL_UI_URL"],
        **{each.title: each.address for each in stack.status() if not _has_own_line(each)},
        "Logs": str(stack.log("api").parent),
        "Settings": f"source {DIRECTORY / 'env'}",
        "Next": "make demo, make status, make logs, make down",
    }
    for title, address in addresses.items():
        console.print(f"  {title:<16} {address}", markup=False)


def _has_own_line(component: ComponentStatus) -> bool:
    """True if it has a line of its own above the list, or no address to show, as the worker has."""
    return component.name in {"shop", "api", "worker", "temporal"}


if __name__ == "__main__":
    app()
