"""The connection pool of PostgreSQL. Every wait has a time limit."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from sqlalchemy import ExceptionContext, NullPool, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.urls import DatabaseUrl, read_database_url

POOL_SIZE = 20
"""Connections per process. Chosen, not measured."""
CONNECT_TIMEOUT_SECONDS = 2
"""Time limit for connecting to one host, unless the URL has a `connect_timeout`. With that of a
statement, it is shorter than one try of a step that writes (a test compares them). Chosen, not
measured."""
STATEMENT_TIMEOUT_SECONDS = 3
"""Time limit of a statement, which takes milliseconds if the server is not busy. Chosen, not
measured."""
POOL_TIMEOUT_SECONDS = 2
"""How long a statement waits for a free connection of the pool. Chosen, not measured."""
LOCK_TIMEOUT_SECONDS = 1
"""Lock timeout of a migration. Statements that need the same table wait behind it. It is a third of
STATEMENT_TIMEOUT_SECONDS, so that these statements do not time out."""

UNUSABLE = ("08", "57P", "25006")
"""SQLSTATEs, or their first characters, after which a connection is closed: it failed, its server
shuts down, or the server is read-only, as the old primary is after a failover (PostgreSQL manual,
appendix A)."""

Connect = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]


def create_engine(
    database_url: str, *, application_name: str, pool_size: int = POOL_SIZE
) -> AsyncEngine:
    """A pool for a `postgresql://` URL, which may have the parameters of libpq such as `sslmode`.

    Each statement is its own transaction: the stores need no longer ones, and it saves two round
    trips. Raises ValueError for a URL that `read_database_url` refuses.
    """
    target = read_database_url(database_url)
    settings = {
        "statement_timeout": str(1000 * STATEMENT_TIMEOUT_SECONDS),
        "lock_timeout": str(1000 * STATEMENT_TIMEOUT_SECONDS),
        "jit": "off",  # compiling may take longer than our short statements
    }
    options = {"command_timeout": STATEMENT_TIMEOUT_SECONDS}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        isolation_level="READ COMMITTED" if target.is_pooled else "AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        connect_args=_pooled(target, application_name, options)
        if target.is_pooled
        else {"async_creator_fn": _connector(target, application_name, settings, options)},
    )
    event.listen(engine.sync_engine, "handle_error", _discard_if_unusable)
    return engine


def _pooled(target: DatabaseUrl, application_name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Arguments for a PgBouncer that may use another session for each transaction.

    It refuses session settings. Without a cache, asyncpg's prepared statements have no name, and
    are used only in the transaction that prepares them.
    """
    options = {**options, "statement_cache_size": 0}
    return {
        "async_creator_fn": _connector(target, application_name, {}, options),
        "prepared_statement_cache_size": 0,
    }


def create_migration_engine(database_url: str) -> AsyncEngine:
    """Connections for migrations: no time limit for statements, a short one for locks."""
    settings = {
        "statement_timeout": "0",
        "lock_timeout": str(1000 * LOCK_TIMEOUT_SECONDS),
        "tcp_keepalives_idle": "60",  # so that no firewall drops an idle connection
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
        """Try the hosts, each with its own time limit. The last one that worked comes first."""
        failure: Exception | None = None
        for host in tuple(hosts):
            try:
                connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
                    dsn=host,
                    timeout=target.connect_seconds or CONNECT_TIMEOUT_SECONDS,
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
    """Make the pool close this connection, and all that were opened before the error."""
    sqlstate = getattr(context.original_exception, "sqlstate", None) or ""
    if sqlstate.startswith(UNUSABLE):
        context.is_disconnect = True
