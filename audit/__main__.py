"""The audit as a command: `python -m audit`. It reads, compares and writes nothing.

Its exit code is 0 if everybody agrees, 1 if not, and 2 if a source could not be read.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from activities.adapters.http import create_client
from audit.books import Books
from audit.invariants import INVARIANTS, Violation, kept_of, violations
from audit.sources import Sources, UnreadableError, read_books
from bootstrap import kafka, temporal
from bootstrap.settings import Settings, read_settings
from db.engine import create_engine
from db.history import PaymentHistory

SETTLED_AFTER = timedelta(minutes=3)
"""A payment younger than this may still be under way, or waiting to be taken up again."""


async def read_settled(settings: Settings, since: datetime, until: datetime) -> list[Books]:
    """The books of the orders paid since then, but for those that were paid after `until`."""
    async with open_sources(settings) as sources:
        books = await read_books(sources, since)
    return [each for each in books.values() if _is_settled(each, until)]


@asynccontextmanager
async def open_sources(settings: Settings) -> AsyncIterator[Sources]:
    engine = create_engine(str(settings.database_url), application_name="payment-audit")
    async with (
        create_client(str(settings.gateway_url)) as gateway,
        create_client(str(settings.ordering_url)) as ordering,
    ):
        client = await _connect(settings)
        connection = kafka.connection(settings)
        try:
            yield Sources(PaymentHistory(engine), gateway, ordering, connection, client)
        finally:
            await engine.dispose()


async def _connect(settings: Settings) -> Client:
    try:
        return await temporal.connect(settings)
    except SystemExit as error:
        raise UnreadableError(str(error)) from error


def _is_settled(books: Books, until: datetime) -> bool:
    return all(payment.created_at < until for payment in books.payments)


def report(books: Collection[Books], found: Collection[Violation]) -> Iterator[str]:
    """What was compared, and every violation with its order."""
    statuses = Counter(payment.status for each in books for payment in each.payments)
    counted = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    yield f"{len(books)} orders, payments: {counted or 'none'}"
    yield f"{sum(len(each.refunds) for each in books)} refunds that callers asked for"
    yield f"{sum(len(each.effects) for each in books)} movements of money at the gateway"
    yield f"{sum(len(each.records) for each in books)} records in Kafka"
    yield f"{sum(len(each.sagas) for each in books)} workflow runs"
    for currency, (kept, recorded) in _balances(books).items():
        yield f"{currency}: the gateway keeps {kept}, PostgreSQL says {recorded} (minor units)"
    for violation in found:
        yield f"✗ order {violation.order_id}: {violation.invariant}: {violation.finding}"
    yield f"{len(INVARIANTS)} invariants, {len(found)} violations"


def _balances(books: Collection[Books]) -> Mapping[str, tuple[int, int]]:
    """By currency, in minor units: what the gateway keeps, and what PostgreSQL says it keeps."""
    kept: Counter[str] = Counter()
    recorded: Counter[str] = Counter()
    for each in books:
        for effect in each.effects:
            kept[effect.amount.currency] += effect.sign * effect.amount.minor_units
        for payment in each.payments:
            recorded[payment.amount.currency] += kept_of(payment, each.refunds)
    return {currency: (kept[currency], recorded[currency]) for currency in kept | recorded}


def main() -> None:
    parser = ArgumentParser(prog="python -m audit", description=__doc__)
    parser.add_argument("--hours", type=float, default=24, help="how far to look back (24)")
    now = datetime.now(UTC)
    arguments = parser.parse_args()
    since = now - timedelta(hours=arguments.hours)
    try:
        books = asyncio.run(read_settled(read_settings(), since, now - SETTLED_AFTER))
    except UnreadableError as error:
        print(f"Nothing was compared. {error}")
        sys.exit(2)
    found = [violation for each in books for violation in violations(each)]
    print("\n".join(report(books, found)))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
