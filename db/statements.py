"""Runs one statement in a transaction of its own. Its errors become PaymentError."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, RowMapping, Text, literal
from sqlalchemy.ext.asyncio import AsyncEngine

from db.failures import as_payment_errors

Values = Mapping[str, Any]
Row = Mapping[str, Any]


def constant(value: str) -> ColumnElement[str]:
    """The value in the statement's text instead of a parameter.

    PostgreSQL makes one plan for all values of the parameters if that seems cheap. It uses a
    partial index, or an index of an expression, only if that plan has the values of its condition.
    """
    return literal(value, Text, literal_execute=True)


async def execute(engine: AsyncEngine, statement: Executable, values: Values) -> int:
    """Run a statement that writes. Returns the number of rows that it wrote."""
    with as_payment_errors():
        async with engine.begin() as connection:
            return (await connection.execute(statement, values)).rowcount


async def fetch(engine: AsyncEngine, query: Executable, values: Values) -> Row | None:
    """The only row of the result, or None."""
    with as_payment_errors():
        async with engine.begin() as connection:
            row = (await connection.execute(query, values)).mappings().one_or_none()
    return _plain(row) if row else None


async def fetch_all(engine: AsyncEngine, query: Executable, values: Values) -> Sequence[Row]:
    with as_payment_errors():
        async with engine.begin() as connection:
            rows = (await connection.execute(query, values)).mappings().all()
    return [_plain(row) for row in rows]


def _plain(row: RowMapping) -> Row:
    """Convert the driver's own UUID class, which cannot be written as JSON, to `uuid.UUID`."""
    return {
        str(name): UUID(int=value.int) if isinstance(value, UUID) else value
        for name, value in row.items()
    }
