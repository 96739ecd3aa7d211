"""How the store uses its connections: time-outs, pools, PgBouncer, a lost backend."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from db import engine as engines
from db.engine import create_engine
from db.payments import PaymentStore
from domain.errors import ErrorCode, PaymentError
from tests.support.builders import NOON, a_payment
from tests.support.recorded import recorded
from tests.support.system import System
from tests.support.waiting import eventually


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout"])
async def test_every_wait_has_an_end(system: System, setting: str) -> None:
    engine = create_engine(system.stack.environment()["DATABASE_URL"], application_name="tests")
    async with engine.connect() as connection:
        seconds = await connection.scalar(text(f"SHOW {setting}"))
    await engine.dispose()

    assert seconds == f"{engines.STATEMENT_TIMEOUT_SECONDS}s"


async def test_behind_a_pooler_nothing_is_left_in_a_session(system: System) -> None:
    url = f"{system.stack.environment()['DATABASE_URL']}?pgbouncer=true"
    engine = create_engine(url, application_name="tests", pool_size=1)
    store, payment = PaymentStore(engine), a_payment()

    await store.record_pending(payment)
    assert await store.find(payment.id) == payment
    async with engine.connect() as connection:
        left = await connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        session = (await connection.get_raw_connection()).driver_connection
        assert session is not None
        assert (left, session.is_in_transaction()) == (0, True)
        assert await connection.scalar(text("SHOW statement_timeout")) == "0"
    await engine.dispose()

    assert len(await system.database.fetch(RECORDED, payment.id)) == 1


RECORDED = "SELECT id FROM bc_payment.payments WHERE id = $1"


async def test_pool_without_a_free_connection_is_an_outage(system: System) -> None:
    url = system.stack.environment()["DATABASE_URL"]
    engine = create_engine(url, application_name="tests", pool_size=1)
    async with engine.connect():
        with pytest.raises(PaymentError) as refusal:
            async with asyncio.timeout(20):  # SQLAlchemy's own limit is 30 s
                await PaymentStore(engine).find(uuid4())
    await engine.dispose()

    assert refusal.value.code is ErrorCode.DATABASE_UNAVAILABLE


async def test_connection_lost_while_it_is_prepared_is_an_outage(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is killed after it has accepted the connection, before the first statement."""
    set_codec = asyncpg.Connection.set_type_codec

    async def lose_connection(
        connection: "asyncpg.Connection[asyncpg.Record]", *arguments: Any, **options: Any
    ) -> None:
        connection.terminate()
        await set_codec(connection, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "set_type_codec", lose_connection)
    engine = create_engine(system.stack.environment()["DATABASE_URL"], application_name="tests")

    with pytest.raises(PaymentError) as refusal:
        await PaymentStore(engine).find(uuid4())
    await engine.dispose()

    assert refusal.value.code is ErrorCode.DATABASE_UNAVAILABLE


async def test_backend_lost_while_a_success_is_recorded_is_an_outage(
    store: PaymentStore, system: System
) -> None:
    payment = await recorded(store, "pending")
    async with system.database.acquire() as other, other.transaction():
        await other.execute("SELECT FROM bc_payment.payments WHERE id = $1 FOR UPDATE", payment.id)
        recording = asyncio.create_task(store.record_succeeded(payment.succeeded(NOON)))
        await eventually("the record waits for the row", lambda: terminate_waiting(other))
        with pytest.raises(PaymentError) as refusal:
            await recording

    assert refusal.value.code is ErrorCode.DATABASE_UNAVAILABLE
    await store.record_succeeded(payment.succeeded(NOON))
    assert await store.find(payment.id) == payment.succeeded(NOON)


async def terminate_waiting(
    other: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
) -> bool | None:
    """End the backend that waits for a lock which `other` holds."""
    terminated: bool | None = await other.fetchval(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"""
    )
    return terminated
