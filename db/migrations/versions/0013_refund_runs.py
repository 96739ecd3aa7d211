"""The workflow runs of a refund, as migration 0012 has them for payments.

It is a migration of its own so that none locks two tables that are in use.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE bc_payment.refunds ADD IF NOT EXISTS run_ids text[]")


def downgrade() -> None:
    op.execute("ALTER TABLE bc_payment.refunds DROP run_ids")
