"""The audit as a command: `python -m audit`. It reads and compares all books, and writes nothing.

Its exit code is 0 if the books agree, 1 if not, and 2 if a source could not be read.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from activities.adapters.gateway_ledger import AllLedgers, HttpGatewayLedger
from activities.adapters.json_client import create_client
from activities.adapters.kafka_records import KafkaRecords
from activities.adapters.order_states import HttpOrderStates
from activities.adapters.stripe.connection import stripe_account
from activities.audit_ports import GatewayLedger, Record
from audit.books import Books
from audit.invariants import INVARIANTS, Violation, kept_of, violations
from audit.sources import Sources, UnreadableError, read_books
from bootstrap import kafka, temporal
from bootstrap.settings import Settings, read_settings
from db.audit import AuditQueries
from db.engine import create_engine

STRIPE_SECONDS = 30.0
"""Time limit for one page of Stripe's lists. Chosen, not measured."""
MIN_AGE = timedelta(minutes=3)
"""Younger payments may still be running, or wait for the reconciliation, which runs every minute.
Chosen, not measured."""


async def read_ended(settings: Settings, since: datetime, until: datetime) -> list[Books]:
    """All books that `read_books` yields, as a list. Raises UnreadableError."""
    async with open_sources(settings) as sources:
        return [books async for books in read_books(sources, since, until)]


@asynccontextmanager
async def open_sources(settings: Settings) -> AsyncIterator[Sources]:
    """Clients of all sources. Raises UnreadableError if Temporal cannot be reached."""
    engine = create_engine(str(settings.database_url), application_name="payment-audit")
    async with (
        AsyncExitStack() as stack,
        create_client(str(settings.ordering_url)) as ordering,
    ):
        try:
            yield Sources(
                database=AuditQueries(engine),
                ledger=AllLedgers([each async for each in _ledgers(settings, stack)]),
                ordering=HttpOrderStates(ordering),
                events=KafkaRecords(kafka.connection(settings)),
                temporal=await _connect(settings),
            )
        finally:
            await engine.dispose()


async def _ledgers(settings: Settings, stack: AsyncExitStack) -> AsyncIterator[GatewayLedger]:
    """The ledgers of all gateways whose address or key is set.

    Earlier payments may be at another gateway than new ones.
    """
    if settings.gateway == "simulator" or "gateway_url" in settings.model_fields_set:
        http = await stack.enter_async_context(create_client(str(settings.gateway_url)))
        yield HttpGatewayLedger(http)
    if settings.stripe_api_key is not None:
        connecting = stripe_account(
            settings.stripe_url,
            settings.stripe_api_key,
            seconds=STRIPE_SECONDS,
            per_second=settings.stripe_requests_per_second,
        )
        yield (await stack.enter_async_context(connecting)).ledger()


async def read_records(servers: str) -> Mapping[str, Sequence[Record]]:
    """Every record that Kafka has, by key, which is the id of the order. Raises KafkaError."""
    events = KafkaRecords({"bootstrap_servers": servers})
    return (await events.find(datetime.fromtimestamp(0, UTC), ())).by_key


async def _connect(settings: Settings) -> Client:
    try:
        return await temporal.connect(settings)
    except SystemExit as error:
        raise UnreadableError(str(error)) from error


class Report:
    """Counts what was compared, and keeps the violations. It does not keep the books."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self._orders = 0
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._recorded: Counter[str] = Counter()

    def add(self, books: Books, found: Iterable[Violation]) -> None:
        self.violations += found
        self._orders += books.order_id is not None
        self._statuses.update(payment.status for payment in books.payments)
        for name in ("refunds", "effects", "records", "runs"):
            self._counts[name] += len(getattr(books, name))
        for effect in books.effects:
            self._kept[effect.amount.currency] += effect.sign * effect.amount.minor_units
        for payment in books.payments:
            self._recorded[payment.amount.currency] += kept_of(payment, books.refunds)

    def lines(self) -> Iterator[str]:
        """The text of the report: what was compared, and every violation with its order."""
        statuses = sorted(self._statuses.items())
        counted = ", ".join(f"{count} {status}" for status, count in statuses)
        yield f"{self._orders} orders, payments: {counted or 'none'}"
        yield f"{self._counts['refunds']} refunds that callers requested"
        yield f"{self._counts['effects']} captures and refunds at the gateway"
        yield f"{self._counts['records']} records in Kafka"
        yield f"{self._counts['runs']} workflow runs"
        for currency in sorted({*self._kept, *self._recorded}):
            kept, recorded = self._kept[currency], self._recorded[currency]
            yield f"{currency}: the gateway keeps {kept}, PostgreSQL has {recorded} (minor units)"
        for order_id, invariant, finding in self.violations:
            where = f"order {order_id}: " if order_id else ""
            yield f"✗ {where}{invariant}: {finding}"
        yield f"{len(INVARIANTS)} invariants, {len(self.violations)} violations"


async def _audit(settings: Settings, since: datetime, until: datetime) -> Report:
    report = Report()
    async with open_sources(settings) as sources:
        async for books in read_books(sources, since, until):
            report.add(books, violations(books))
    return report


def main() -> None:
    parser = ArgumentParser(prog="python -m audit", description=__doc__)
    parser.add_argument("--hours", type=float, default=24, help="hours to look back (24)")
    now = datetime.now(UTC)
    arguments = parser.parse_args()
    since = now - timedelta(hours=arguments.hours)
    try:
        report = asyncio.run(_audit(read_settings(), since, now - MIN_AGE))
    except UnreadableError as error:
        print(f"Nothing was compared. {error}")
        sys.exit(2)
    print("\n".join(report.lines()))
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
