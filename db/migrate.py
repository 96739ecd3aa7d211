"""Bringing the schema up to date, by as many processes at once as like to try."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.failures import as_payment_errors
from domain.names import DATABASE_SCHEMA

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('bc_payment migrations'))")


async def migrate(engine: AsyncEngine) -> None:
    """Create the schema if it is missing and run every migration that has not been run.

    Raises PaymentError(DATABASE_UNAVAILABLE) if there is no connecting, and otherwise what went
    wrong as it is: it is no outage, but a bug.
    """
    with as_payment_errors():
        async with engine.connect():
            pass
    async with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        await connection.execute(_ONE_AT_A_TIME)
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {DATABASE_SCHEMA}"))
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    command.upgrade(config, "head")
