"""The connection pool to PostgreSQL: every wait in it has an end."""

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 3
POOL_WAIT_SECONDS = 2
LOCK_SECONDS = 1
"""How long a migration waits for a table, and all who come after it wait with it. A third of
STATEMENT_SECONDS, so that none of them fails."""


def create_engine(database_url: str, *, application_name: str, pool_size: int = 20) -> AsyncEngine:
    """A pool for a `postgresql://` URL, which may have the parameters of libpq such as `sslmode`.

    Each statement is its own transaction: the store needs no other, and saves two round trips.
    """
    return create_async_engine(
        "postgresql+asyncpg://",
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        connect_args={
            **_target(database_url),
            "command_timeout": STATEMENT_SECONDS,
            "server_settings": {
                "application_name": application_name,
                "statement_timeout": str(1000 * STATEMENT_SECONDS),
                "lock_timeout": str(1000 * STATEMENT_SECONDS),
                "jit": "off",
            },
        },
    )


def create_migration_engine(database_url: str) -> AsyncEngine:
    """Connections for migrations: a statement takes as long as it takes, a lock must come soon."""
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        connect_args={
            **_target(database_url),
            "server_settings": {
                "application_name": "payment-migrations",
                "statement_timeout": "0",
                "lock_timeout": str(1000 * LOCK_SECONDS),
                "tcp_keepalives_idle": "60",  # so that no firewall forgets a long statement
            },
        },
    )


def _target(database_url: str) -> dict[str, object]:
    return {
        "dsn": database_url,  # asyncpg reads it as libpq does, SQLAlchemy would not
        "timeout": CONNECT_SECONDS,
    }
