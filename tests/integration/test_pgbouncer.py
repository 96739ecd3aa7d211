"""PostgreSQL behind a real PgBouncer in transaction mode, with fewer sessions than clients."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from http import HTTPStatus
from uuid import uuid4

import asyncpg
import pytest

from db.engine import create_engine
from db.idempotency import IdempotencyKeys, KeyClaim
from db.migrate import MigrationBlocked, migrate
from db.payments import PaymentStore
from devstack.stack.ports import HOST, Ports
from domain.payment import PaymentStatus
from tests.support.builders import NOON, a_payment
from tests.support.programs import PGBOUNCER
from tests.support.replica import another_api
from tests.support.system import System
from tests.support.waiting import eventually

SESSIONS = 2
CLIENTS = 10
PAYMENTS = 100

CONFIGURATION = """
[databases]
payments = host={host} port={server}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
"""


@pytest.fixture(scope="module")
async def url(system: System, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    program = PGBOUNCER.require()
    directory, port = tmp_path_factory.mktemp("pgbouncer"), Ports.free().postgres
    (directory / "users").write_text('"payments" "payments"')
    (directory / "ini").write_text(
        CONFIGURATION.format(
            host=HOST,
            server=system.stack.site.ports.postgres,
            port=port,
            users=directory / "users",
            sessions=SESSIONS,
        )
    )
    disguise = ["unshare", "--user", "--map-user=1000"] if os.getuid() == 0 else []
    with (directory / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(*disguise, program, str(directory / "ini")), stdout=log, stderr=log
        )
    address = f"postgresql://payments:payments@{HOST}:{port}/payments"
    await eventually("PgBouncer answers", lambda: answers(address))
    yield f"{address}?pgbouncer=true"
    process.send_signal(signal.SIGTERM)
    await process.wait()


async def answers(address: str) -> bool:
    try:
        await (await asyncpg.connect(address)).close()
    except OSError:
        return False
    return True


async def test_payments_are_recorded_through_shared_sessions(url: str) -> None:
    engine = create_engine(url, application_name="tests", pool_size=CLIENTS)
    store, keys = PaymentStore(engine), IdempotencyKeys(engine)

    async def record() -> None:
        payment = a_payment()
        await store.ping()
        await keys.claim(KeyClaim("tests", str(uuid4()), "fingerprint", payment.id))
        assert (await store.record_pending(payment)).payment == payment
        await store.record_succeeded(payment.succeeded(NOON))
        await store.record_announcement(payment.succeeded(NOON).announced())
        found = await store.find(payment.id)
        assert found == payment.succeeded(NOON).announced()

    async def client() -> None:
        for _ in range(PAYMENTS // CLIENTS):
            await record()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    await engine.dispose()


async def test_an_api_behind_pgbouncer_makes_payments(system: System, url: str) -> None:
    async with another_api(system, database_url=url) as replica:
        answer = await replica.pay(await replica.an_order(), key="key")
        assert answer.payment["status"] == PaymentStatus.SUCCEEDED

        async def is_ready() -> bool:
            return (await replica.get("/ready")).status == HTTPStatus.OK

        await eventually("the API is ready", is_ready)


async def test_migrations_do_not_use_pgbouncer(url: str) -> None:
    with pytest.raises(MigrationBlocked, match="address of PostgreSQL itself"):
        await migrate(url)
