"""Running one statement: its own transaction, its failures as PaymentError."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from db.failures import as_payment_errors

Values = Mapping[str, Any]


async def execute(engine: AsyncEngine, statement: Executable, values: Values) -> int:
    """How many rows the statement has written."""
    with as_payment_errors():
        async with engine.connect() as connection:
            return (await connection.execute(statement, values)).rowcount


async def fetch(engine: AsyncEngine, query: Executable, values: Values) -> RowMapping | None:
    """The only row that the query finds, or None."""
    with as_payment_errors():
        async with engine.connect() as connection:
            return (await connection.execute(query, values)).mappings().one_or_none()


async def fetch_all(engine: AsyncEngine, query: Executable, values: Values) -> Sequence[RowMapping]:
    with as_payment_errors():
        async with engine.connect() as connection:
            return (await connection.execute(query, values)).mappings().all()
