"""The workflow runs of a refund, as migration 0012 has them for payments.

It is separate from migration 0012, so that no migration locks two tables in use at the same time.
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
