"""`python -m tests.proofs.migrating [--rows N]`: migrate a large table while it is in use.

Starts a PostgreSQL of its own with the schema of revision 0002, the last one before a migration
changes a table that has rows, and brings it up to date.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import asyncpg

from db.migrate import migrate
from devstack.stack.ports import Ports
from devstack.stack.stack import Stack

OLDEST = "0002"
ROWS = 1_000_000
WRITERS = 4
REPORT_SECONDS = 3
"""Longer than the time a migration waits for a lock, so that it has to try again."""

PATIENT = {"lock_timeout": str(int(1000 * (REPORT_SECONDS - 0.5)))}
"""A writer waits longer for a lock than a migration does, for a busy machine, but not as long as a
report lasts: if its patience ends, the migration has kept it waiting."""

FILL = """
    INSERT INTO bc_payment.payments (id, order_id, customer_id, amount_minor, currency,
        currency_exponent, payment_method, status, error_code, created_at, processed_at,
        is_simulated)
    SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 15000, 'USD', 2, 'credit_card',
        status, CASE WHEN status = 'failed' THEN 'CARD_DECLINED' END, created_at,
        CASE WHEN status <> 'pending' THEN created_at END, true
    FROM generate_series(1, $1) number,
        LATERAL (SELECT now() - number * interval '1 second' created_at,
            CASE WHEN number % 1000 = 0 THEN 'pending' WHEN number % 10 = 0 THEN 'failed'
                ELSE 'succeeded' END status) each
"""
WRITES = (
    """INSERT INTO bc_payment.payments (id, order_id, customer_id, amount_minor, currency,
        currency_exponent, payment_method, status, created_at, is_simulated)
        VALUES ($1, $1, $1, 15000, 'USD', 2, 'credit_card', 'pending', now(), true)""",
    """UPDATE bc_payment.payments SET status = 'succeeded', processed_at = now() WHERE id = $1""",
    """UPDATE bc_payment.payments SET simulated_response = 'Success' WHERE id =
        (SELECT id FROM bc_payment.payments WHERE id >= $1 ORDER BY id LIMIT 1)""",
)


@dataclass
class Load:
    """What the writers have seen."""

    seconds: list[float] = field(default_factory=list)
    """Of each write that was made."""
    failures: list[str] = field(default_factory=list)

    async def write(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        while True:
            payment_id = uuid4()
            for statement in WRITES:
                await self._time(connection, statement, payment_id)

    async def _time(
        self, connection: "asyncpg.Connection[asyncpg.Record]", statement: str, payment_id: UUID
    ) -> None:
        started = time.monotonic()
        try:
            await connection.execute(statement, payment_id)
        except asyncpg.PostgresError as error:
            self.failures.append(str(error))
        self.seconds.append(time.monotonic() - started)


async def report(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Read in transactions that last, as backups and reports do."""
    while True:
        async with connection.transaction():
            await connection.fetchval("SELECT id FROM bc_payment.payments LIMIT 1")
            await asyncio.sleep(REPORT_SECONDS)
        await asyncio.sleep(REPORT_SECONDS / 2)


@asynccontextmanager
async def database(directory: Path) -> AsyncIterator[str]:
    """The URL of a PostgreSQL of its own, without a schema."""
    stack = Stack(directory, Ports.free(), durable=False, ephemeral=True)
    await stack.up(["postgres"])
    try:
        yield stack.environment()["DATABASE_URL"]
    finally:
        await stack.stop("postgres")


async def fill(url: str, rows: int) -> None:
    """A table as it stood before the first migration that changes one with rows."""
    await migrate(url, OLDEST)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute("ALTER TABLE bc_payment.payments DISABLE TRIGGER USER")
        await connection.execute(FILL, rows)
        await connection.execute("ALTER TABLE bc_payment.payments ENABLE TRIGGER USER")
    await connection.execute("ANALYZE bc_payment.payments")
    await connection.close()


@asynccontextmanager
async def load(url: str, writers: int = WRITERS) -> AsyncIterator[Load]:
    """Payments are written and reports are read until the block ends."""
    found = Load()
    async with AsyncExitStack() as stack:
        tasks = []
        for work in (report, *[found.write] * writers):
            connection = await asyncpg.connect(url, server_settings=PATIENT)
            stack.callback(connection.terminate)
            tasks.append(asyncio.create_task(work(connection)))
        yield found
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.migrating", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    with TemporaryDirectory(prefix="migrating-") as directory:
        async with database(Path(directory)) as url:
            await fill(url, rows)
            async with load(url) as found:
                await asyncio.sleep(REPORT_SECONDS)
                usual = sorted(found.seconds)
                started = time.monotonic()
                await migrate(url)
                took = time.monotonic() - started
    during = sorted(found.seconds)
    print(f"{rows} rows, migrated in {took:.1f} s from {OLDEST}, written by {WRITERS} at a time")
    print(f"before:    {len(usual)} writes, slowest {1000 * usual[-1]:.0f} ms")
    print(f"and while: {len(during) - len(usual)} writes, slowest {1000 * during[-1]:.0f} ms")
    print(f"refused:   {len(found.failures)} {set(found.failures) or ''}")


if __name__ == "__main__":
    asyncio.run(main())
