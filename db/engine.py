"""The connection pool to PostgreSQL: its waits have an end, and what cannot write leaves it."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from sqlalchemy import ExceptionContext, NullPool, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.urls import read_database_url

CONNECT_SECONDS = 2
"""To one host, unless the URL says `connect_timeout`."""
STATEMENT_SECONDS = 3
POOL_WAIT_SECONDS = 2
LOCK_SECONDS = 1
"""How long a migration waits for a table, and all who come after it wait with it. A third of
STATEMENT_SECONDS, so that none of them fails."""

UNUSABLE = ("08", "57P", "25006")
"""SQLSTATEs after which a session serves nobody: its connection failed, its server shuts down or
only reads, as an old primary does after a failover (PostgreSQL manual, appendix A)."""

Connect = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]


def create_engine(database_url: str, *, application_name: str, pool_size: int = 20) -> AsyncEngine:
    """A pool for a `postgresql://` URL, which may have the parameters of libpq such as `sslmode`.

    Each statement is its own transaction: the store needs no other, and saves two round trips.
    Raises ValueError for a URL that `read_database_url` refuses.
    """
    settings = {
        "statement_timeout": str(1000 * STATEMENT_SECONDS),
        "lock_timeout": str(1000 * STATEMENT_SECONDS),
        "jit": "off",
    }
    engine = create_async_engine(
        "postgresql+asyncpg://",
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        async_creator=_connector(
            database_url, application_name, settings, command_timeout=STATEMENT_SECONDS
        ),
    )
    event.listen(engine.sync_engine, "handle_error", _discard_if_unusable)
    return engine


def create_migration_engine(database_url: str) -> AsyncEngine:
    """Connections for migrations: a statement takes as long as it takes, a lock must come soon."""
    settings = {
        "statement_timeout": "0",
        "lock_timeout": str(1000 * LOCK_SECONDS),
        "tcp_keepalives_idle": "60",  # so that no firewall forgets a long statement
    }
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=_connector(database_url, "payment-migrations", settings),
    )


def _connector(
    database_url: str, application_name: str, settings: dict[str, str], **options: Any
) -> Connect:
    target = read_database_url(database_url)
    hosts = list(target.hosts)
    name = target.application_name or application_name

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        """Each host has its own time, and the one that served last is asked first."""
        failure: Exception | None = None
        for host in tuple(hosts):
            try:
                connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                    dsn=host,
                    timeout=target.connect_seconds or CONNECT_SECONDS,
                    server_settings={**settings, "application_name": name},
                    **options,
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
                failure = error
            else:
                hosts.remove(host)
                hosts.insert(0, host)
                return connection
        assert failure is not None
        raise failure

    return connect


def _discard_if_unusable(context: ExceptionContext) -> None:
    """Have the pool drop this connection and all that are as old."""
    sqlstate = getattr(context.original_exception, "sqlstate", None) or ""
    if sqlstate.startswith(UNUSABLE):
        context.is_disconnect = True
