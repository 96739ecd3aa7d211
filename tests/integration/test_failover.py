"""The primary goes down and its standby is promoted. Payments continue without a restart."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import asyncpg

from db.engine import create_engine
from db.migrate import migrate
from db.payments import PaymentStore
from devstack.stack.ports import HOST, Ports
from devstack.stack.postgres import postgres_program
from devstack.stack.stack import Stack
from domain.errors import PaymentError
from tests.support.builders import a_payment
from tests.support.replica import another_api
from tests.support.system import System
from tests.support.waiting import eventually

POOL = 3


async def is_done(work: Awaitable[object]) -> bool:
    try:
        await work
    except PaymentError:
        return False
    return True


@asynccontextmanager
async def primary(directory: Path) -> AsyncIterator[Stack]:
    stack = Stack(directory, Ports.free(), durable=False, ephemeral=True)
    await stack.up(["postgres"])
    try:
        yield stack
    finally:
        await stack.stop("postgres")


@asynccontextmanager
async def standby(of: int, directory: Path) -> AsyncIterator[int]:
    """Start a server that replicates the primary at port `of`. Yields its port."""
    port = Ports.free().postgres
    source = ("-h", HOST, "-p", str(of), "-U", "postgres", "-D", str(directory))
    await asyncio.to_thread(
        subprocess.run,
        [*postgres_program("pg_basebackup"), *source, "-R", "-X", "stream", "--checkpoint=fast"],
        check=True,
        env={**os.environ, "PGPASSWORD": "postgres"},
    )
    limits = ("fsync=off", "max_connections=200")  # as many as the primary's, or it does not start
    options = (*limits, f"port={port}", f"listen_addresses={HOST}", "unix_socket_directories=")
    flags = [flag for option in options for flag in ("-c", option)]
    with (directory / "log").open("w") as log:
        server = await asyncio.create_subprocess_exec(
            *(*postgres_program("postgres"), "-D", str(directory), *flags), stdout=log, stderr=log
        )
    try:
        yield port
    finally:
        server.send_signal(signal.SIGINT)  # the "fast" shutdown
        await server.wait()


def superuser(port: int) -> str:
    return f"postgresql://postgres:postgres@{HOST}:{port}/payments"


async def ask(url: str, query: str, *values: object) -> object:
    """The result of a query. Tries again while the server is not up."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return None
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def test_a_promoted_standby_takes_over(tmp_path: Path) -> None:
    async with primary(tmp_path / "primary") as stack:
        first = stack.site.ports.postgres
        await migrate(stack.environment()["DATABASE_URL"])
        async with standby(first, tmp_path / "standby") as second:
            url = f"postgresql://payments:payments@{HOST}:{first},{HOST}:{second}/payments"
            engine = create_engine(url, application_name="tests", pool_size=POOL)
            store, payment = PaymentStore(engine), a_payment()
            await store.record_pending(payment)
            count = "SELECT count(*) FROM bc_payment.payments"
            await eventually("the standby follows", lambda: ask(superuser(second), count))

            await stack.stop("postgres")
            assert not await is_done(store.ping())
            assert not await is_done(store.record_pending(a_payment()))
            await ask(superuser(second), "SELECT pg_promote(wait => false)")

            await eventually(
                "payments are recorded", lambda: is_done(store.record_pending(a_payment()))
            )
            await store.ping()
            assert await store.find(payment.id) == payment
            await engine.dispose()


@asynccontextmanager
async def only_reading(url: str) -> AsyncIterator[str]:
    """The URL of a role whose sessions are read-only, as on an old primary after a failover."""
    role = f"role_{uuid4().hex}"
    admin = await asyncpg.connect(as_superuser(url))
    await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'payments' IN ROLE payments")
    await admin.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    yield url.replace("//payments:", f"//{role}:")
    await admin.execute(f"DROP ROLE {role}")
    await admin.close()


def as_superuser(url: str) -> str:
    return url.replace("//payments:payments@", "//postgres:postgres@")


async def let_write(url: str, role_url: str) -> None:
    role = role_url.split("//")[1].split(":", maxsplit=1)[0]
    await ask(as_superuser(url), f"ALTER ROLE {role} RESET default_transaction_read_only")


async def test_one_refused_write_empties_the_pool(tmp_path: Path) -> None:
    async with primary(tmp_path) as stack:
        url = stack.environment()["DATABASE_URL"]
        await migrate(url)
        async with only_reading(url) as role_url:
            engine = create_engine(role_url, application_name="tests", pool_size=POOL)
            store = PaymentStore(engine)
            assert not await is_done(store.ping())
            connections = [await engine.connect() for _ in range(POOL)]
            for connection in connections:
                await connection.close()
            await let_write(url, role_url)

            assert not await is_done(store.record_pending(a_payment()))
            for _ in range(POOL):
                await store.record_pending(a_payment())
            await store.ping()
            await engine.dispose()


async def test_a_server_that_only_reads_is_not_ready(system: System) -> None:
    url = system.stack.environment()["DATABASE_URL"]
    async with (
        only_reading(url) as role_url,
        another_api(system, database_url=role_url) as replica,
    ):
        order = await replica.an_order()
        answer = await replica.get("/ready")
        assert (answer.status, answer.body["dependencies"]["postgresql"]) == (503, "down")
        assert (await replica.pay(order, key="key")).status == 503

        await let_write(url, role_url)

        await eventually("the API is ready again", lambda: is_ready(replica))
        assert (await replica.pay(order, key="key")).status == 200


async def is_ready(replica: System) -> bool:
    return (await replica.get("/ready")).status == HTTPStatus.OK
