"""When a payment waits for its customer.

Workers of the earlier version do not write the new columns: their payments do not wait.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """ALTER TABLE bc_payment.payments
            ADD IF NOT EXISTS waits_since timestamptz,
            ADD IF NOT EXISTS waits_until timestamptz"""
    )


def downgrade() -> None:
    op.execute("ALTER TABLE bc_payment.payments DROP waits_since, DROP waits_until")
