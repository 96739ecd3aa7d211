"""Fills a database with payments that have ended, as after years of use."""

import asyncpg

DAYS = 365
"""The payments were created at different times in this number of days, the last one a day ago."""

PAYMENTS = """
    INSERT INTO bc_payment.payments (id, order_id, customer_id, amount_minor, currency,
        currency_exponent, payment_method, status, error_code, created_at, processed_at,
        is_simulated, announcement, announced_at)
    SELECT gen_random_uuid(), gen_random_uuid(), md5((number / 20)::text)::uuid, 15000, 'USD', 2,
        'credit_card', status, CASE WHEN status = 'failed' THEN 'CARD_DECLINED' END, created_at,
        created_at, true, 'made', created_at
    FROM generate_series(1, $1::integer) number,
        LATERAL (SELECT now() - (1 + number * $2::float / $1) * interval '1 day' created_at,
            CASE WHEN number % 10 = 0 THEN 'failed' ELSE 'succeeded' END status) each
"""
TRANSITIONS = """
    INSERT INTO bc_payment.payment_transitions
        (payment_id, from_status, to_status, error_code, recorded_at)
    SELECT id, before, after, CASE WHEN after = 'failed' THEN error_code END, created_at
    FROM bc_payment.payments,
        LATERAL (VALUES (NULL, 'pending'), ('pending', status)) each (before, after)
"""
KEYS = """
    INSERT INTO bc_payment.idempotency_keys (caller, key, fingerprint, payment_id, claimed_at)
    SELECT 'shop', order_id, md5(id::text), id, created_at FROM bc_payment.payments
"""
REFUNDS = """
    INSERT INTO bc_payment.refunds
        (id, payment_id, amount_minor, status, created_at, processed_at, is_announced)
    SELECT gen_random_uuid(), id, 5000, 'succeeded', created_at, created_at, true
    FROM (SELECT *, row_number() OVER (ORDER BY created_at) number FROM bc_payment.payments) each
    WHERE status = 'succeeded' AND number % 5 = 2
"""
"""One payment of five is refunded in part."""


async def fill(superuser_url: str, payments: int) -> None:
    """Insert the payments and what belongs to them, unless there are any payments already.

    Triggers and foreign keys are left out: each row is as they would have made it. `superuser_url`
    leads to the database as a superuser, who alone may leave them out.
    """
    connection = await asyncpg.connect(superuser_url)
    try:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM bc_payment.payments)"):
            return
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(PAYMENTS, payments, DAYS)
        for statement in (TRANSITIONS, KEYS, REFUNDS):
            await connection.execute(statement)
        # What autovacuum would do later, while something is being measured.
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
