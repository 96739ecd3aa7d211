"""Chaos on live processes: `python -m tests.proofs.chaos`.

Starts a system of its own, makes payments and injects faults of every kind. Each server is also
away for a minute or two at times. Then all faults end, and the audit compares all books and the
responses that customers got. Another search looks for card tokens and secrets in everything that
was written. The exit code is 1 if an invariant does not hold. A run is repeated by its seed, and
`--part 2/5` is the second of five parts of it.
"""

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Annotated, NamedTuple
from uuid import UUID

import httpx
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress
from temporalio.client import Client

from audit.__main__ import read_ended
from audit.books import ApiResponse, Books
from audit.invariants import violations
from devstack.stack.ports import HOST, Ports
from devstack.stack.stack import Stack
from domain.gateways import GatewayName
from tests.proofs.chaos.deliveries import Deliveries
from tests.proofs.chaos.faults import LINKED, STRIPE, RunningSystem, at_gateway
from tests.proofs.chaos.idle import resumed_payments, until_idle
from tests.proofs.chaos.links import Link
from tests.proofs.chaos.nemesis import Nemesis
from tests.proofs.chaos.outages import AWAY, Outage, outages
from tests.proofs.chaos.report import Run, show
from tests.proofs.chaos.secrets import search
from tests.proofs.chaos.shoppers import SECONDS, Shoppers
from tests.proofs.chaos.stripe_customers import WAIT_SECONDS
from tests.support.proof import WHOLE, Part, PartOption, commit
from tests.support.stacks import settings_of

PAGE = Path(".chaos/report.html")
BEHAVIOUR = {"PAYMENT_WAIT_SECONDS": "10", "GATEWAY_SUCCESS_RATE": "0.95"}

PACE_SECONDS = 2.0
"""Pause between two purchases of a customer after all requested purchases are made."""

console = Console(highlight=False)


class Load(NamedTuple):
    """The options of a run."""

    payments: int
    seed: int
    part: Part
    at_once: int
    faults_at_once: int
    outages: int
    only: str
    gateway: str = "gateway"
    """The component of the gateway that payments are made at."""

    @property
    def dice(self) -> Random:
        return Random(f"{self.seed}:{self.part}")

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of this part's purchases. Purchase n is the same in every split of a run."""
        return self.part.of(range(self.payments))

    def outages_of_part(self) -> Sequence[Outage]:
        every = outages(self.outages, Random(self.seed), at_gateway(AWAY, self.gateway))
        return [each for each in self.part.of(every) if self.only in str(each)]


def main(
    *,
    payments: Annotated[int, typer.Option(min=1, help="How many purchases are made.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the faults and the purchases.")] = 1,
    part: PartOption = WHOLE,
    at_once: Annotated[int, typer.Option(min=1, help="Customers at the same time.")] = 40,
    faults_at_once: Annotated[int, typer.Option(min=0, help="Faults at the same time.")] = 2,
    away: Annotated[
        int, typer.Option(min=0, help="How often each server is away for a minute or two.")
    ] = 2,
    only: Annotated[str, typer.Option(help="Only kinds with this in their name.")] = "",
    gateway: Annotated[
        GatewayName, typer.Option(help="Where payments are made.")
    ] = GatewayName.SIMULATOR,
) -> None:
    """Inject faults into the running system while customers pay, then compare the books."""
    directory = Path(mkdtemp(prefix="chaos-"))
    component = STRIPE if gateway is GatewayName.STRIPE else "gateway"
    load = Load(payments, seed, Part.parse(part), at_once, faults_at_once, away, only, component)
    run = uvloop.run(_run(directory, load))
    show(run, PAGE)
    if run.is_clean:
        shutil.rmtree(directory)
    else:
        console.print(f"What the servers have written is in {directory}.")
    raise typer.Exit(not run.is_clean)


async def _run(directory: Path, load: Load) -> Run:
    began = datetime.now(UTC)
    async with (
        _running_system(directory, load) as system,
        _shoppers(system, load.seed) as shoppers,
    ):
        kinds = [each for each in system.kinds() if load.only in str(each)]
        nemesis = Nemesis(system, kinds, load.faults_at_once, load.outages_of_part())
        if not (kinds or nemesis.outages):
            raise typer.BadParameter(f"No kind of fault has {load.only!r} in its name.")
        started = time.monotonic()
        deliveries = Deliveries(system.stack.environment().get("STRIPE_URL"))
        watching = asyncio.create_task(deliveries.watch())
        async with asyncio.TaskGroup() as group:
            group.create_task(nemesis.run())
            await _shop(shoppers, nemesis, load)
            seconds = time.monotonic() - started
            nemesis.stop()
        healed = time.monotonic()
        await system.stack.up()
        with console.status("Waiting until every payment has ended"):
            is_idle = await until_idle(settings_of(system.stack), system.temporal)
        idle_after = time.monotonic() - healed if is_idle else float("inf")
        watching.cancel()
        read = await read_ended(settings_of(system.stack), began, datetime.now(UTC))
        reconciled = await resumed_payments(system.temporal)
        payments = [each.id for books in read for each in books.payments]
        secrets = await search(system.stack, system.temporal, payments)
    books = _with_answers(read, shoppers.answers)
    return Run(
        command=" ".join(["python -m tests.proofs.chaos", *sys.argv[1:]]),
        commit=commit(),
        seed=load.seed,
        part=load.part,
        seconds=seconds,
        idle_after=idle_after,
        shoppers=shoppers,
        past_faults=nemesis.past_faults,
        past_outages=nemesis.past_outages,
        reconciled=reconciled,
        crashed=nemesis.crashed,
        books=books,
        secrets=secrets,
        deliveries=deliveries,
        violations=[violation for each in books for violation in violations(each)],
    )


@asynccontextmanager
async def _running_system(directory: Path, load: Load) -> AsyncIterator[RunningSystem]:
    ports = Ports.free()
    links = {name: Link(asdict(ports)[name]) for name in at_gateway(LINKED, load.gateway)}
    is_stripe = load.gateway == STRIPE
    stack = Stack(directory, ports, ephemeral=True, optional=[STRIPE] if is_stripe else ())
    async with AsyncExitStack() as opened:
        for link in links.values():
            await opened.enter_async_context(link.opened())
        try:
            await stack.up(environment=BEHAVIOUR | _through(links))
            temporal = await Client.connect(stack.environment()["TEMPORAL_ADDRESS"])
            yield RunningSystem(stack, links, temporal, load.dice, load.gateway)
        finally:
            await stack.down()


def _through(links: Mapping[str, Link]) -> dict[str, str]:
    """Settings with which our processes reach the servers through the links."""
    address = {name: f"{HOST}:{link.port}" for name, link in links.items()}
    if STRIPE in links:
        gateway = {
            "GATEWAY": STRIPE,
            "STRIPE_URL": f"http://{address[STRIPE]}",
            "STRIPE_WEBHOOK_URL": f"http://{address['api']}/webhooks/stripe",
            "CHECKOUT": "hosted",
            "CUSTOMER_ACTION_SECONDS": str(WAIT_SECONDS),
        }
    else:
        gateway = {"GATEWAY_URL": f"http://{address['gateway']}"}
    return {
        "DATABASE_URL": f"postgresql://payments:payments@{address['postgres']}/payments",
        "REDIS_URL": f"redis://{address['valkey']}/0",
        "TEMPORAL_ADDRESS": address["temporal"],
        "ORDERING_URL": f"http://{address['ordering']}",
        "INVENTORY_URL": f"http://{address['inventory']}",
        **gateway,
    }


@asynccontextmanager
async def _shoppers(system: RunningSystem, seed: int) -> AsyncIterator[Shoppers]:
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(
            base_url=f"http://{HOST}:{system.links['api'].port}",
            timeout=SECONDS,
            limits=limits,
            trust_env=False,
        ) as api,
        httpx.AsyncClient(timeout=SECONDS, limits=limits, trust_env=False) as neighbours,
    ):
        with_cards = system.gateway == STRIPE
        yield Shoppers(api, neighbours, system.stack.environment(), seed, with_cards)


async def _shop(shoppers: Shoppers, nemesis: Nemesis, load: Load) -> None:
    """Make all purchases. Then make more, at a slower pace, until the last outage is over."""
    numbers = iter(load.numbers)
    more = count(load.payments)
    with Progress(console=console) as progress:
        task = progress.add_task("Paying", total=len(load.numbers))

        async def buy(number: int) -> None:
            await shoppers.buy(number)
            shown = (
                f"Paying, {len(nemesis.past_faults)} faults, {len(nemesis.past_outages)} outages"
            )
            progress.update(task, completed=shoppers.purchases, description=shown)

        async def queue() -> None:
            for number in numbers:
                await buy(number)
            while not nemesis.outages_over.is_set():
                await asyncio.sleep(PACE_SECONDS)
                await buy(next(more))

        async with asyncio.TaskGroup() as group:
            for _ in range(load.at_once):
                group.create_task(queue())


def _with_answers(
    read: Sequence[Books], answers: Mapping[UUID, Sequence[ApiResponse]]
) -> Sequence[Books]:
    books: dict[UUID | None, Books] = {each.order_id: each for each in read}
    for order_id, responses in answers.items():
        books.setdefault(order_id, Books(order_id)).responses = list(responses)
    return list(books.values())


if __name__ == "__main__":
    typer.run(main)
