"""Triggers that a test adds to the table of payments."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.system import Order, System

NAME = "of_a_test"


@asynccontextmanager
async def before_update(
    system: System, order: Order, condition: str, code: str
) -> AsyncIterator[None]:
    """In the block, PostgreSQL runs `code` before each update of a payment of this order.

    `code` is PL/pgSQL. `condition` is an SQL expression about `NEW`, the new row; where it is
    false, the code is not run.
    """
    await system.database.execute(f"""
        CREATE FUNCTION bc_payment.{NAME}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {code}
            RETURN NEW;
        END $$;
        CREATE TRIGGER {NAME} BEFORE UPDATE ON bc_payment.payments FOR EACH ROW
            WHEN (NEW.order_id = '{order.id}' AND {condition})
            EXECUTE FUNCTION bc_payment.{NAME}()
    """)
    try:
        yield
    finally:
        await system.database.execute(f"DROP FUNCTION bc_payment.{NAME} CASCADE")
