"""What callers get during an overload: `python -m tests.proofs.overload`.

A system of its own is started. First a few customers pay in turn, then more, to find out how many
are served in a second at best; then ten times as many come, whether the others have been served or
not, and come again when they are turned away. The books are compared afterwards.
"""

import asyncio
import statistics
import time
from collections import Counter, deque
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple
from uuid import uuid4

import typer
import uvloop
from rich.console import Console
from temporalio.client import Client

from audit.__main__ import read_ended
from audit.invariants import violations
from benchmarks.connection import Answer, Connection, Connections
from devstack.stack.ports import Ports
from devstack.stack.stack import Stack
from domain import exact_json
from tests.proofs.chaos.idle import until_idle
from tests.support.proof import commit
from tests.support.stacks import settings_of

AT_ONCE = (8, 16, 32)
"""Numbers of customers who pay in turn. One of these numbers keeps the system fully busy."""
TICK_SECONDS = 0.01
TURNED_AWAY = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
SETTINGS = {"RATE_LIMIT": "1000000/second"}

console = Console(highlight=False, soft_wrap=True)


class Visit(NamedTuple):
    """One request: when it was answered, with which status, and after how long."""

    at: float
    answer: Answer | None
    seconds: float

    @property
    def is_paid(self) -> bool:
        return self.answer is not None and self.answer.status is HTTPStatus.OK

    @property
    def is_turned_away(self) -> bool:
        return self.answer is not None and self.answer.status in TURNED_AWAY


@dataclass
class Crowd:
    """Customers, each with an order to pay. A refused customer tries again after the others."""

    api: int
    orders: deque[bytes] = field(default_factory=deque)
    visits: list[Visit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connections = Connections(self.api)

    async def visit(self) -> None:
        order = self.orders.popleft()
        began = time.monotonic()
        try:
            answer = await self._connections.post("/payments", order)
        except OSError:
            answer = None
        now = time.monotonic()
        visit = Visit(now, answer, now - began)
        if not visit.is_paid:
            self.orders.append(order)
        self.visits.append(visit)

    async def come_in_turn(self, at_once: int, seconds: float) -> None:
        """Let `at_once` customers pay at the same time. When one is served, the next one pays."""
        until = time.monotonic() + seconds

        async def queue() -> None:
            while time.monotonic() < until:
                await self.visit()

        await asyncio.gather(*(queue() for _ in range(at_once)))

    async def rush_in(self, rate: float, seconds: float) -> None:
        """Start `rate` requests a second, however long the earlier ones take."""
        began, come = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while (passed := time.monotonic() - began) < seconds:
                while come < rate * passed:
                    group.create_task(self.visit())
                    come += 1
                await asyncio.sleep(TICK_SECONDS)


def main(
    seconds: Annotated[int, typer.Option(min=5, help="Of each load.")] = 20,
    times: Annotated[float, typer.Option(min=1, help="How often the peak comes in.")] = 10,
    places: Annotated[int | None, typer.Option(help="PAYMENTS_AT_ONCE.")] = None,
    kafka_away: Annotated[
        bool, typer.Option("--kafka-away", help="Stop Kafka for a time instead.")
    ] = False,
) -> None:
    """Measure payments per second at the peak, and during an overload."""
    console.print(f"Commit {commit()}")
    with TemporaryDirectory(prefix="overload-") as directory:
        settings = SETTINGS | ({"PAYMENTS_AT_ONCE": str(places)} if places else {})
        uvloop.run(_run(Path(directory), settings, seconds, None if kafka_away else times))


async def _run(
    directory: Path, settings: Mapping[str, str], seconds: int, times: float | None
) -> None:
    began = datetime.now(UTC)
    stack = Stack(directory, Ports.free(), durable=True, ephemeral=True)
    await stack.up(environment=settings)
    try:
        crowd = Crowd(stack.site.ports.api)
        if times is None:
            await _measure_without_kafka(crowd, stack, seconds)
        else:
            await _measure(crowd, stack.site.ports.ordering, seconds, times)
        temporal = await Client.connect(stack.environment()["TEMPORAL_ADDRESS"])
        is_idle = await until_idle(settings_of(stack), temporal)
        books = await read_ended(settings_of(stack), began, datetime.now(UTC) + timedelta(days=1))
    finally:
        await stack.down()
    broken = [violation for each in books for violation in violations(each)]
    ended = "everything has ended" if is_idle else "NOT everything has ended"
    console.print("\n".join([*map(str, broken), f"{len(broken)} violations in the books, {ended}"]))


async def _measure(crowd: Crowd, ordering: int, seconds: int, times: float) -> None:
    await _order(crowd, ordering, 500)
    await crowd.come_in_turn(max(AT_ONCE), 10)  # to warm up
    peak = max([await _in_turn(crowd, ordering, each, seconds) for each in AT_ONCE])
    rate = times * peak
    await _order(crowd, ordering, int(peak * seconds) + 1000)
    rush = await _during(crowd, crowd.rush_in(rate, seconds), seconds)
    console.print(f"{times:g} times the peak: {rate:.0f} customers a second: {rush.report()}")
    console.print(f"goodput under overload: {rush.paid_per_second / peak:.0%} of the peak")
    await _in_turn(crowd, ordering, min(AT_ONCE), seconds)


async def _measure_without_kafka(crowd: Crowd, stack: Stack, seconds: int) -> None:
    """Compare payments per second with Kafka, without it, and with it again."""
    ordering, at_once = stack.site.ports.ordering, max(AT_ONCE)
    await _order(crowd, ordering, 500)
    await crowd.come_in_turn(at_once, 10)  # to warm up
    usual = await _in_turn(crowd, ordering, at_once, seconds)
    await stack.stop("kafka")
    without = await _in_turn(crowd, ordering, at_once, seconds)
    await stack.up(["kafka"])
    console.print(f"without Kafka: {without / usual:.0%} of the usual rate")
    await _in_turn(crowd, ordering, at_once, seconds)


async def _in_turn(crowd: Crowd, ordering: int, at_once: int, seconds: float) -> float:
    """Measure the payments per second while `at_once` customers pay at the same time."""
    await _order(crowd, ordering, 100 * at_once)
    load = await _during(crowd, crowd.come_in_turn(at_once, seconds), seconds)
    console.print(f"{at_once} customers in turn: {load.report()}")
    return load.paid_per_second


@dataclass
class Load:
    """The results of the requests during a period."""

    visits: Sequence[Visit]
    seconds: float

    @property
    def paid_per_second(self) -> float:
        return sum(each.is_paid for each in self.visits) / self.seconds

    def report(self) -> str:
        counts = Counter(each.answer and each.answer.status.value for each in self.visits)
        listed = ", ".join(f"{count} x {status or 'none'}" for status, count in counts.items())
        turned = [each for each in self.visits if each.is_turned_away]
        unsaid = sum(not each.answer.says_when_to_come_back for each in turned if each.answer)
        paid = _spread([each for each in self.visits if each.is_paid])
        report = f"{self.paid_per_second:.1f} paid a second in {paid} ({listed})"
        if turned:
            report += f"; turned away in {_spread(turned)}, {unsaid} without Retry-After"
        return report


async def _during(crowd: Crowd, load: Awaitable[None], seconds: float) -> Load:
    """The requests that were answered during the load. Waits for the remaining ones."""
    before, until = len(crowd.visits), time.monotonic() + seconds
    await load
    return Load([each for each in crowd.visits[before:] if each.at <= until], seconds)


def _spread(visits: Sequence[Visit]) -> str:
    if len(visits) < 2:  # quantiles need two
        return "-"
    cuts = statistics.quantiles([1000 * each.seconds for each in visits], n=100)
    return f"{cuts[49]:.0f} ms (p99 {cuts[98]:.0f} ms)"


async def _order(crowd: Crowd, ordering: int, orders: int) -> None:
    """Create this number of orders in Ordering, which the crowd then pays."""
    numbers = iter(range(orders))

    async def place() -> None:
        connection = await Connection.open(ordering)
        for _ in numbers:
            order, customer = str(uuid4()), str(uuid4())
            placed = {"id": order, "customerId": customer, "totalAmount": 150}
            answer = await connection.post("/orders", exact_json.dumps(placed))
            assert answer.status is HTTPStatus.CREATED, answer
            wanted = {"orderId": order, "customerId": customer, "amount": 150}
            crowd.orders.append(exact_json.dumps(wanted))
        connection.close()

    await asyncio.gather(*(place() for _ in range(max(AT_ONCE))))


if __name__ == "__main__":
    typer.run(main)
