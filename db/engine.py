"""The connection pool to PostgreSQL: every wait in it has an end."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 3
POOL_WAIT_SECONDS = 2


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
            "dsn": database_url,  # asyncpg reads it as libpq does, SQLAlchemy would not
            "timeout": CONNECT_SECONDS,
            "command_timeout": STATEMENT_SECONDS,
            "server_settings": {
                "application_name": application_name,
                "statement_timeout": str(1000 * STATEMENT_SECONDS),
                "lock_timeout": str(1000 * STATEMENT_SECONDS),
                "jit": "off",
            },
        },
    )
