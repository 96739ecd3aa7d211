"""Bringing the schema up to date while payments go on, by as many processes at once as like to try.

How a migration is written so that nobody waits for it: docs/development.md.
"""

import asyncio
import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.engine import LOCK_SECONDS, create_migration_engine
from db.failures import as_payment_errors
from db.urls import read_database_url
from domain.names import DATABASE_SCHEMA

LOCK_TRIES = 60
PAUSE_SECONDS = 2
"""Between two tries, so that writers who queued up behind the first are served. With LOCK_TRIES,
a transaction of three minutes, such as a report, is outlasted. Chosen, not measured."""
TURN_SECONDS = 0.5

LOCK_FAILURES = frozenset({"55P03", "40P01"})
"""Lock not available in time, deadlock: the same migration may get through the next time."""

BEHIND_A_POOLER = (
    "Migrations need a session of their own, and DATABASE_URL leads to a connection pooler that"
    " gives none. Name PostgreSQL itself there for workflows.prepare."
)

_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtext('bc_payment migrations'))")

log = logging.getLogger(__name__)


class MigrationBlocked(Exception):  # noqa: N818 (nothing is wrong with the migration)
    """The migration cannot run as things are; the message says what to do. Nothing is lost."""


async def migrate(database_url: str, revision: str = "head") -> None:
    """Create the schema if it is missing and run every migration that has not been run.

    Raises PaymentError(DATABASE_UNAVAILABLE) if there is no connecting, MigrationBlocked if a
    table stays locked by others, and otherwise what went wrong as it is: it is a bug.
    """
    if read_database_url(database_url).is_pooled:
        raise MigrationBlocked(BEHIND_A_POOLER)
    engine = create_migration_engine(database_url)
    with as_payment_errors():
        connection = await engine.connect()
    try:
        await _refuse_pooler(connection)
        await _wait_for_turn(connection)
        await _upgrade_patiently(connection, revision)
    finally:
        await connection.close()


async def _refuse_pooler(connection: AsyncConnection) -> None:
    if await connection.scalar(text("SHOW lock_timeout")) != f"{LOCK_SECONDS}s":
        raise MigrationBlocked(BEHIND_A_POOLER)


async def _wait_for_turn(connection: AsyncConnection) -> None:
    """Get the lock that one migrating process has at a time, however long another one needs.

    It ends with the session, even if this process is killed. Waiting for it inside a statement
    would hold a snapshot, for which the other's CREATE INDEX CONCURRENTLY waits in turn.
    """
    while not await connection.scalar(_TRY_LOCK):
        await connection.commit()
        await asyncio.sleep(TURN_SECONDS)
    await connection.commit()


async def _upgrade_patiently(connection: AsyncConnection, revision: str) -> None:
    """Run the migrations. If a lock is not free in time, retry from the migration that failed."""
    for number in range(1, LOCK_TRIES + 1):
        try:
            await connection.run_sync(_upgrade, revision)
        except DBAPIError as error:
            await connection.rollback()
            if getattr(error.orig, "sqlstate", None) not in LOCK_FAILURES:
                raise
            log.warning("a table is in use; try %d of %d to change it failed", number, LOCK_TRIES)
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
    raise MigrationBlocked(
        "A migration waits for a table that a transaction of somebody else does not let go"
        " (pg_stat_activity shows which). End that one, then run workflows.prepare again."
    )


def _upgrade(connection: Connection, revision: str) -> None:
    connection.execute(text("RESET lock_timeout"))  # a failed try may have left it off
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {DATABASE_SCHEMA}"))
    connection.commit()
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    command.upgrade(config, revision)
