"""What PostgreSQL reads for each statement of the stores: its plan, and what it counts itself."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import asyncpg
from sqlalchemy import ClauseElement, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.audit import PAGE_SIZE
from db.engine import create_engine
from domain.names import DATABASE_SCHEMA

GROWING = ("payments", "refunds", "idempotency_keys", "payment_transitions")
"""The tables that get new rows with every payment."""
FIXED_PAGES = 100
PAGES_PER_ROW = 10
"""How many pages of 8 kB a statement may read: the first number for its searches in indexes and for
those of its triggers, and the second for each row that it returns or writes. Measured: 55 for a
payment that is inserted, 4 for each row of a join."""
MAX_ROWS = PAGE_SIZE
"""How many rows a statement may return: as many as the largest page has."""

SEQUENTIAL_SCAN = re.compile(r"Seq Scan on (\w+)")
COUNTERS = f"""
    SELECT relname, seq_scan scans,
        heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit pages
    FROM pg_stat_user_tables JOIN pg_statio_user_tables USING (relid, schemaname, relname)
    WHERE schemaname = '{DATABASE_SCHEMA}'
"""  # noqa: S608 (our own SQL)
FLUSH = "SELECT pg_stat_force_next_flush()"


@dataclass
class Read:
    """One statement that a store has sent, and what PostgreSQL has read for it."""

    statement: str
    """As the store has written it, with names for values."""
    sql: str
    values: tuple[Any, ...]
    rows: int = 0
    """How many it has returned or written."""
    scanned: tuple[str, ...] = ()
    """The tables that it, or its triggers, have read from beginning to end."""
    pages: int = 0
    plan: str = ""

    @property
    def fault(self) -> str | None:
        """What is wrong with it, with its plan; None if it is bounded."""
        planned = set(SEQUENTIAL_SCAN.findall(self.plan))
        if found := [each for each in GROWING if each in planned.union(self.scanned)]:
            return f"sequential scan of {', '.join(found)}:\n{self.sql}\n{self.plan}"
        if self.rows > MAX_ROWS or self.pages > FIXED_PAGES + PAGES_PER_ROW * self.rows:
            return f"{self.pages} pages for {self.rows} rows:\n{self.sql}\n{self.plan}"
        return None


class _Count(NamedTuple):
    scans: int
    pages: int


@dataclass
class WatchedEngine:
    """Wraps the database engine of the stores, and counts what PostgreSQL reads for each statement.

    Nothing else may use the tables meanwhile. The statements must not be sent at the same time.
    """

    engine: AsyncEngine
    watcher: "asyncpg.Connection[asyncpg.Record]"
    reads: list[Read] = field(default_factory=list)
    counted: dict[str, _Count] = field(default_factory=dict)
    """By table, what has been counted so far."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """As `AsyncEngine.begin`, for one statement."""
        number = len(self.reads)
        try:
            async with self.engine.begin() as connection:
                yield connection
        finally:
            for read in self.reads[number:]:
                before = self.counted
                await self.count()
                for name, (scans, pages) in self.counted.items():
                    read.scanned += (name,) * (scans > before[name].scans)
                    read.pages += (pages - before[name].pages) * (name in GROWING)

    async def count(self) -> None:
        """Make the session of the stores report what it has counted, and read it."""
        number = len(self.reads)
        async with self.engine.connect() as connection:
            await connection.execute(text(FLUSH))
        del self.reads[number:]
        rows = await self.watcher.fetch(COUNTERS)
        self.counted = {row["relname"]: _Count(row["scans"], row["pages"]) for row in rows}

    async def explain(self) -> None:
        """Ask for the plans, which are counted, too: so when no other statement follows."""
        for read in self.reads:
            if not read.sql.startswith("DO "):  # which has no plan
                lines = await self.watcher.fetch(f"EXPLAIN {read.sql}", *read.values)
                read.plan = "\n".join(line[0] for line in lines)
        await self.watcher.execute(FLUSH)


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[WatchedEngine]:
    """Yields such an engine. It has one connection, and counts for every statement sent with it."""
    engine = create_engine(url, application_name="tests", pool_size=1)
    watcher = await asyncpg.connect(url)
    watching = WatchedEngine(engine, watcher)

    def sent(_: Any, __: Any, sql: str, values: tuple[Any, ...], context: Any, ___: Any) -> None:
        watching.reads.append(Read(written(context.invoked_statement), sql, values))

    def done(_: Any, cursor: Any, *__: Any) -> None:
        watching.reads[-1].rows = max(0, cursor.rowcount)

    event.listen(engine.sync_engine, "before_cursor_execute", sent)
    event.listen(engine.sync_engine, "after_cursor_execute", done)
    try:
        await watching.count()
        yield watching
        await watching.explain()
    finally:
        await watcher.close()
        await engine.dispose()


def written(statement: ClauseElement) -> str:
    """The statement's text with names for values, and without parentheses.

    So a statement that is made by adding conditions to another one begins with the text of that.
    """
    compiled = statement.compile(dialect=cast("Any", postgresql.dialect)())
    return re.sub("[()]", "", str(compiled))
