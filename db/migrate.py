"""Runs the migrations while payments are processed. Several processes may start it together.

docs/development.md says how to write a migration so that no statement waits long for it.
"""

import asyncio
import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.engine import LOCK_TIMEOUT_SECONDS, create_migration_engine
from db.failures import as_payment_errors
from db.urls import read_database_url
from domain.names import DATABASE_SCHEMA

MAX_LOCK_TRIES = 60
LOCK_RETRY_PAUSE_SECONDS = 2
"""Pause between two tries, in which the statements that waited for the first one are executed. All
tries together take three minutes: longer than most transactions, even of a report. Chosen, not
measured."""
TURN_POLL_SECONDS = 0.5
"""Pause between two tries to get the lock of the migrating process. Chosen, not measured."""

LOCK_FAILURES = frozenset({"55P03", "40P01"})
"""SQLSTATEs of a lock timeout and of a deadlock: the next try of the migration may succeed."""

BEHIND_A_POOLER = (
    "Migrations need a session of their own, but DATABASE_URL leads to a connection pooler, which"
    " does not give one. For workflows.prepare, set it to the address of PostgreSQL itself."
)

_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtext('bc_payment migrations'))")

log = logging.getLogger(__name__)


class MigrationBlocked(Exception):  # noqa: N818 (nothing is wrong with the migration)
    """The migration cannot run at present. The message says what to do. Nothing is lost."""


async def migrate(database_url: str, revision: str = "head") -> None:
    """Create the schema if it is missing, and run every migration that has not run.

    Raises PaymentError(DATABASE_UNAVAILABLE) without a connection, MigrationBlocked if another
    session keeps a table locked or the URL leads to a pooler. Any other error is a bug.
    """
    if read_database_url(database_url).is_pooled:
        raise MigrationBlocked(BEHIND_A_POOLER)
    engine = create_migration_engine(database_url)
    with as_payment_errors():
        connection = await engine.connect()
    try:
        await _refuse_pooler(connection)
        await _wait_for_turn(connection)
        await _upgrade_with_retries(connection, revision)
    finally:
        await connection.close()


async def _refuse_pooler(connection: AsyncConnection) -> None:
    """Raise MigrationBlocked if the session lacks our settings, because a pooler removed them."""
    if await connection.scalar(text("SHOW lock_timeout")) != f"{LOCK_TIMEOUT_SECONDS}s":
        raise MigrationBlocked(BEHIND_A_POOLER)


async def _wait_for_turn(connection: AsyncConnection) -> None:
    """Wait for the lock that only one migrating process has at a time.

    PostgreSQL releases it with the session, even if this process is killed. No statement waits for
    it, because the snapshot of that statement would block the CREATE INDEX CONCURRENTLY of the
    other process.
    """
    while not await connection.scalar(_TRY_LOCK):
        await connection.commit()
        await asyncio.sleep(TURN_POLL_SECONDS)
    await connection.commit()


async def _upgrade_with_retries(connection: AsyncConnection, revision: str) -> None:
    """Run the migrations. After a lock timeout, retry from the migration that failed."""
    for number in range(1, MAX_LOCK_TRIES + 1):
        try:
            await connection.run_sync(_upgrade, revision)
        except DBAPIError as error:
            await connection.rollback()
            if getattr(error.orig, "sqlstate", None) not in LOCK_FAILURES:
                raise
            log.warning(
                "a table is in use; try %d of %d to change it failed", number, MAX_LOCK_TRIES
            )
            await asyncio.sleep(LOCK_RETRY_PAUSE_SECONDS)
        else:
            return
    raise MigrationBlocked(
        "A migration needs a table that another transaction keeps locked (pg_stat_activity shows"
        " which). End that transaction, then run workflows.prepare again."
    )


def _upgrade(connection: Connection, revision: str) -> None:
    connection.execute(text("RESET lock_timeout"))  # a failed try may have changed it
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {DATABASE_SCHEMA}"))
    connection.commit()
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    command.upgrade(config, revision)
