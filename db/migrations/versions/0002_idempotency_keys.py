"""Idempotency keys: which payment a caller's key stands for, and what was asked for with it."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IDEMPOTENCY_KEYS = """
CREATE TABLE bc_payment.idempotency_keys (
    caller      text NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint text NOT NULL,
    payment_id  uuid NOT NULL,
    claimed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (caller, key)
)
"""


def upgrade() -> None:
    op.execute(IDEMPOTENCY_KEYS)


def downgrade() -> None:
    op.execute("DROP TABLE bc_payment.idempotency_keys")
