"""Pending payments by age, for the reconciliation that looks at them every minute."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX pending_payments ON bc_payment.payments (created_at) WHERE status = 'pending'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX bc_payment.pending_payments")
