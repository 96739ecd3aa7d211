"""Migrations run during payments. Writers wait only shortly, and every migration is completed."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from db import migrate as migrating
from db.engine import LOCK_TIMEOUT_SECONDS
from db.migrate import MigrationBlocked, migrate
from db.tables import metadata
from tests.proofs.migrating import OLDEST, PATIENT, database, fill, load
from tests.support.repository import ROOT
from tests.support.waiting import eventually

ROWS = 5_000
"""More than two batches."""

PAYMENTS = "bc_payment.payments"
VERSIONS = ROOT / "db/migrations/versions"

INDEXES = """
    SELECT indexrelid::regclass::text AS name, indisvalid FROM pg_index
        WHERE indrelid = $1::regclass
"""
IS_WAITING = """
    SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'payment-migrations' AND wait_event_type = 'Lock'
"""
TURN = "SELECT pg_advisory_lock(hashtext('bc_payment migrations'))"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with database(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture
async def url(server: str) -> str:
    """A new database. A test migrates it itself, so that a migration that fails fails the test."""
    name = f"payments_{uuid4().hex}"
    superuser = await asyncpg.connect(server.replace("payments:payments@", "postgres:postgres@"))
    await superuser.execute(f"CREATE DATABASE {name} OWNER payments")
    await superuser.close()
    return server.removesuffix("payments") + name


@pytest.fixture
async def other(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def test_writers_never_wait_longer_than_a_migration_may(
    url: str, other: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await fill(url, ROWS)
    async with load(url, writers=2) as found:
        await eventually("payments are written", lambda: written(found.seconds))
        await migrate(url)

    assert found.failures == []
    announcements = await other.fetch(
        """SELECT DISTINCT announcement FROM bc_payment.payments
            WHERE status = 'succeeded' AND created_at < now() - interval '30 minutes'"""
    )
    assert [row["announcement"] for row in announcements] == ["made"]
    assert await columns(other) == {column.name for column in metadata.tables[PAYMENTS].columns}


async def written(seconds: list[float]) -> bool:
    return len(seconds) > 0


async def columns(other: "asyncpg.Connection[asyncpg.Record]") -> set[str]:
    rows = await other.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0", PAYMENTS
    )
    return {row["attname"] for row in rows}


async def test_a_statement_may_take_long_and_a_lock_may_not(
    url: str, other: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is never released ends the migration with a message. The next run continues."""
    monkeypatch.setattr(migrating, "MAX_LOCK_TRIES", 2)
    monkeypatch.setattr(migrating, "LOCK_RETRY_PAUSE_SECONDS", 0)
    await fill(url, 1)
    await migrate(url, "0003")
    async with other.transaction():
        await other.fetch("SELECT id FROM bc_payment.payments LIMIT 1")
        with pytest.raises(MigrationBlocked, match="End that transaction"):
            await migrate(url, "0004")

    await migrate(url)

    assert await columns(other) == {column.name for column in metadata.tables[PAYMENTS].columns}


async def test_a_table_in_use_is_tried_again_and_writers_go_first(
    url: str,
    other: "asyncpg.Connection[asyncpg.Record]",
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(migrating, "LOCK_RETRY_PAUSE_SECONDS", 0.1)
    await fill(url, 1)
    await migrate(url, "0003")
    writer = await asyncpg.connect(url, server_settings=PATIENT)
    async with other.transaction():
        await other.fetch("SELECT id FROM bc_payment.payments LIMIT 1")
        waiting = asyncio.create_task(migrate(url))
        for number in (1, 2):
            await eventually("the migration waits", lambda: writer.fetchval(IS_WAITING))
            await writer.execute("UPDATE bc_payment.payments SET simulated_response = ''")
            await eventually("it has given way", lambda: said(caplog, f"try {number}"))  # noqa: B023
    await writer.close()
    await waiting

    assert await columns(other) == {column.name for column in metadata.tables[PAYMENTS].columns}


async def said(caplog: pytest.LogCaptureFixture, words: str) -> bool:
    return words in caplog.text


async def test_an_index_that_a_failed_migration_left_is_made_again(
    url: str, other: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A terminated CREATE INDEX CONCURRENTLY leaves an invalid index."""
    await fill(url, ROWS)
    blocker = await asyncpg.connect(url)
    await blocker.execute("BEGIN; UPDATE bc_payment.payments SET simulated_response = ''")
    failing = asyncio.create_task(migrate(url, "0003"))
    await eventually("the index waits for the writer", lambda: other.fetchval(IS_WAITING))
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'payment-migrations'"
    )
    with pytest.raises(SQLAlchemyError):
        await failing
    await blocker.close()
    assert False in (await indexes(other)).values()

    await migrate(url, "0003")

    assert (await indexes(other))["bc_payment.pending_payments"] is True
    await migrate(url)
    assert set((await indexes(other)).values()) == {True}


async def test_an_index_waits_for_writers_as_long_as_it_takes(
    url: str, other: "asyncpg.Connection[asyncpg.Record]", caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing waits for the index meanwhile, so it needs no time limit."""
    await fill(url, ROWS)
    writer = await asyncpg.connect(url)
    async with writer.transaction():
        await writer.execute("UPDATE bc_payment.payments SET simulated_response = ''")
        building = asyncio.create_task(migrate(url, "0003"))
        await eventually("it waits for the writer", lambda: other.fetchval(IS_WAITING))
        beyond = asyncio.get_running_loop().time() + 2 * LOCK_TIMEOUT_SECONDS
        await eventually("it waits longer than for a lock", lambda: is_later(beyond))
        assert await other.fetchval(IS_WAITING)
    await building
    await writer.close()

    assert caplog.text.count("a table is in use") == 0


async def is_later(moment: float) -> bool:
    return asyncio.get_running_loop().time() > moment


async def test_migrations_need_a_session_of_their_own(url: str) -> None:
    with pytest.raises(MigrationBlocked, match="address of PostgreSQL itself"):
        await migrate(f"{url}?pgbouncer=true")


async def test_a_pooler_that_drops_settings_is_noticed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.engine.LOCK_TIMEOUT_SECONDS", 0)

    with pytest.raises(MigrationBlocked, match="address of PostgreSQL itself"):
        await migrate(url)


async def test_a_process_waits_for_its_turn_however_long_another_migrates(
    url: str, other: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits, it holds no lock for which the other's index would wait."""
    await fill(url, 1)
    monkeypatch.setattr(migrating, "TURN_POLL_SECONDS", 0.01)
    await other.execute(TURN)
    second = asyncio.create_task(migrate(url))
    await eventually("the second waits", lambda: asks_for_its_turn(other))

    for _ in range(3):
        await other.execute(
            "CREATE INDEX CONCURRENTLY tried ON bc_payment.payments (order_id)", timeout=10
        )
        await other.execute("DROP INDEX CONCURRENTLY bc_payment.tried", timeout=10)
    assert await version(other) == OLDEST
    assert not second.done()

    await other.execute("SELECT pg_advisory_unlock_all()")
    await second
    assert await version(other) > OLDEST


async def asks_for_its_turn(other: "asyncpg.Connection[asyncpg.Record]") -> object:
    return await other.fetchval(
        """SELECT count(*) FROM pg_stat_activity WHERE application_name = 'payment-migrations'
            AND query LIKE '%pg_try_advisory_lock%'"""
    )


async def indexes(other: "asyncpg.Connection[asyncpg.Record]") -> dict[str, bool]:
    """Whether each index is valid, by name."""
    rows = await other.fetch(INDEXES, PAYMENTS)
    return {row["name"]: row["indisvalid"] for row in rows}


async def version(other: "asyncpg.Connection[asyncpg.Record]") -> str:
    found: str = await other.fetchval("SELECT version_num FROM bc_payment.alembic_version")
    return found


@pytest.mark.parametrize("revision", ["0003", "0004", "0005", "0009", "0010"])
async def test_a_migration_can_be_run_again_from_its_middle(
    url: str, other: "asyncpg.Connection[asyncpg.Record]", revision: str
) -> None:
    """A process may end before it has recorded that its migration is complete."""
    await fill(url, ROWS)
    await migrate(url, revision)
    before = await indexes(other)
    (file,) = VERSIONS.glob(f"{revision}_*.py")
    parent = file.read_text().split('down_revision = "')[1][:4]
    await other.execute("UPDATE bc_payment.alembic_version SET version_num = $1", parent)

    await migrate(url, revision)

    assert await version(other) == revision
    assert await indexes(other) == before
