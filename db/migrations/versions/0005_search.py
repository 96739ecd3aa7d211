"""Payments are found by their order, and listed by their time."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX payments_by_order ON bc_payment.payments (order_id, created_at)")
    op.execute("CREATE INDEX payments_by_time ON bc_payment.payments (created_at, id)")


def downgrade() -> None:
    op.execute("DROP INDEX bc_payment.payments_by_time")
    op.execute("DROP INDEX bc_payment.payments_by_order")
