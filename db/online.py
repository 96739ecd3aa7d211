"""Changes for migrations of a schema that is in use: no statement waits long for them.

Each function commits the transaction of the migration, then works without one. It is safe to
repeat, so a migration that failed half-way is completed by running it again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from alembic import op
from sqlalchemy import text

from domain.names import DATABASE_SCHEMA

BATCH_ROWS = 1000
"""Rows that one update locks, for some milliseconds. Chosen, not measured."""

_IS_INVALID = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)::oid")


def create_index(name: str, definition: str, *, is_unique: bool = False) -> None:
    """Create an index while rows are written. A definition is `bc_payment.payments (created_at)`.

    A failed try leaves an invalid index behind, which is dropped first.
    """
    with _without_lock_timeout():
        found = op.get_bind().execute(_IS_INVALID, {"name": f"{DATABASE_SCHEMA}.{name}"})
        if found.scalar():
            op.execute(f"DROP INDEX CONCURRENTLY {DATABASE_SCHEMA}.{name}")
        unique = "UNIQUE " if is_unique else ""
        op.execute(f"CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")


def drop_index(name: str) -> None:
    with _without_lock_timeout():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {DATABASE_SCHEMA}.{name}")


def add_check(table: str, name: str, condition: str) -> None:
    """Add a CHECK constraint. Existing rows are checked after the table's lock is released."""
    op.execute(
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name},"
        f" ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
    )
    with _without_lock_timeout():
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def update_in_batches(table: str, assignments: str, condition: str) -> None:
    """Update all rows that meet the condition. The table's primary key is a UUID named `id`."""
    ids = f"SELECT id FROM {table} WHERE id >= :first"  # noqa: S608 (our own SQL, as is the next one)
    batch = text(f"{ids} ORDER BY id LIMIT 1 OFFSET {BATCH_ROWS}")
    change = f"UPDATE {table} SET {assignments} WHERE ({condition}) AND id >= :first"  # noqa: S608
    with op.get_context().autocommit_block():
        first = UUID(int=0)
        while following := op.get_bind().execute(batch, {"first": first}).scalar():
            op.get_bind().execute(
                text(f"{change} AND id < :following"), {"first": first, "following": following}
            )
            first = following
        op.get_bind().execute(text(change), {"first": first})


@contextmanager
def _without_lock_timeout() -> Iterator[None]:
    """Leave the transaction. For statements that block no writer while they wait for a lock."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")
