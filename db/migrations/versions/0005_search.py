"""Payments are found by their order, and listed by their time."""

from db.online import create_index, drop_index

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("payments_by_order", "bc_payment.payments (order_id, created_at)")
    create_index("payments_by_time", "bc_payment.payments (created_at, id)")


def downgrade() -> None:
    drop_index("payments_by_time")
    drop_index("payments_by_order")
