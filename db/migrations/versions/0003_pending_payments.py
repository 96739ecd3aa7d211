"""Pending payments by age, for the reconciliation that looks at them every minute."""

from db.online import create_index, drop_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("pending_payments", "bc_payment.payments (created_at) WHERE status = 'pending'")


def downgrade() -> None:
    drop_index("pending_payments")
