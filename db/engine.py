"""The connection pool to PostgreSQL: its waits have an end, and what cannot write leaves it."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from sqlalchemy import ExceptionContext, NullPool, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.urls import DatabaseUrl, read_database_url

CONNECT_SECONDS = 2
"""To one host, unless the URL says `connect_timeout`."""
STATEMENT_SECONDS = 3
POOL_WAIT_SECONDS = 2
LOCK_SECONDS = 1
"""Lock timeout of a migration. Statements that need the same table wait behind it. It is a third of
STATEMENT_SECONDS, so that these statements do not time out."""

UNUSABLE = ("08", "57P", "25006")
"""SQLSTATEs after which a session serves nobody: its connection failed, its server shuts down or
only reads, as an old primary does after a failover (PostgreSQL manual, appendix A)."""

Connect = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]


def create_engine(database_url: str, *, application_name: str, pool_size: int = 20) -> AsyncEngine:
    """A pool for a `postgresql://` URL, which may have the parameters of libpq such as `sslmode`.

    Each statement is its own transaction: the store needs no other, and saves two round trips.
    Raises ValueError for a URL that `read_database_url` refuses.
    """
    target = read_database_url(database_url)
    settings = {
        "statement_timeout": str(1000 * STATEMENT_SECONDS),
        "lock_timeout": str(1000 * STATEMENT_SECONDS),
        "jit": "off",
    }
    options = {"command_timeout": STATEMENT_SECONDS}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        isolation_level="READ COMMITTED" if target.is_pooled else "AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        connect_args=_pooled(target, application_name, options)
        if target.is_pooled
        else {"async_creator_fn": _connector(target, application_name, settings, options)},
    )
    event.listen(engine.sync_engine, "handle_error", _discard_if_unusable)
    return engine


def _pooled(target: DatabaseUrl, application_name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Behind PgBouncer a session is ours for a transaction only, so nothing is left in it.

    It refuses settings. Without a cache, asyncpg gives a prepared statement no name, and uses it
    only in the transaction that prepares it.
    """
    options = {**options, "statement_cache_size": 0}
    return {
        "async_creator_fn": _connector(target, application_name, {}, options),
        "prepared_statement_cache_size": 0,
    }


def create_migration_engine(database_url: str) -> AsyncEngine:
    """Connections for migrations: a statement takes as long as it takes, a lock must come soon."""
    settings = {
        "statement_timeout": "0",
        "lock_timeout": str(1000 * LOCK_SECONDS),
        "tcp_keepalives_idle": "60",  # so that no firewall forgets a long statement
    }
    connect = _connector(read_database_url(database_url), "payment-migrations", settings, {})
    return create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, connect_args={"async_creator_fn": connect}
    )


def _connector(
    target: DatabaseUrl, application_name: str, settings: dict[str, str], options: dict[str, Any]
) -> Connect:
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
