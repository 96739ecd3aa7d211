"""The tables of the schema `bc_payment`, for writing statements. The migrations create them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

from domain.names import DATABASE_SCHEMA

metadata = MetaData(schema=DATABASE_SCHEMA)

payments = Table(
    "payments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("reservation_id", Uuid),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("currency_exponent", SmallInteger, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("failure_reason", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("processed_at", DateTime(timezone=True)),
    Column("is_simulated", Boolean, nullable=False),
    Column("simulated_response", Text),
    Column("transaction_id", Text),
    Column("announcement", Text, nullable=False),
    Column("announced_at", DateTime(timezone=True)),
    Column("released_reservation_id", Uuid),
    Column("may_be_sent", Boolean, nullable=False),
    Column("compensation_code", Text),
    Column("compensation_message", Text),
    Column("reattempt_after_seconds", Integer),
    Column("gateway", Text, nullable=False),
    Column("gateway_reference", Text),
    Column("waits_since", DateTime(timezone=True)),
    Column("waits_until", DateTime(timezone=True)),
    Column("run_ids", ARRAY(Text)),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("payment_id", Uuid, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
)

payment_transitions = Table(
    "payment_transitions",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("to_status", Text, primary_key=True),
    Column("from_status", Text),
    Column("error_code", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("is_only_row", Boolean, primary_key=True),
    Column("completed_at", DateTime(timezone=True), nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("payment_id", Uuid, ForeignKey(payments.c.id), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("processed_at", DateTime(timezone=True)),
    Column("is_announced", Boolean, nullable=False),
    Column("gateway_reference", Text),
    Column("failed_later_at", DateTime(timezone=True)),
    Column("run_ids", ARRAY(Text)),
)
