"""Runs one statement in a transaction of its own. Its errors become PaymentError."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from sqlalchemy import ColumnElement, Executable, RowMapping, Text, literal
from sqlalchemy.ext.asyncio import AsyncEngine

from db.failures import as_payment_errors

_TRACER = trace.get_tracer(__name__)

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
    with _one_statement(statement):
        async with engine.begin() as connection:
            return (await connection.execute(statement, values)).rowcount


async def fetch(engine: AsyncEngine, query: Executable, values: Values) -> Row | None:
    """The only row of the result, or None."""
    with _one_statement(query):
        async with engine.begin() as connection:
            row = (await connection.execute(query, values)).mappings().one_or_none()
    return _plain(row) if row else None


async def fetch_all(engine: AsyncEngine, query: Executable, values: Values) -> Sequence[Row]:
    with _one_statement(query):
        async with engine.begin() as connection:
            rows = (await connection.execute(query, values)).mappings().all()
    return [_plain(row) for row in rows]


@contextmanager
def _one_statement(statement: Executable) -> Iterator[None]:
    """A span for the statement, without its values. Its errors become PaymentError."""
    operation = getattr(statement, "__visit_name__", "statement").upper()
    attributes = {"db.system.name": "postgresql", "db.operation.name": operation}
    with (
        _TRACER.start_as_current_span(
            f"PostgreSQL {operation}", kind=SpanKind.CLIENT, attributes=attributes
        ),
        as_payment_errors(),
    ):
        yield


def _plain(row: RowMapping) -> Row:
    """Convert the driver's own UUID class, which cannot be written as JSON, to `uuid.UUID`."""
    return {
        str(name): UUID(int=value.int) if isinstance(value, UUID) else value
        for name, value in row.items()
    }
