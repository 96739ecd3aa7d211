"""The workflow runs of a payment, by their ids in Temporal: the timeline shows them.

Workers of the earlier version do not write the new column. The timelines of their payments show
only the latest run, which is read from Temporal.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE bc_payment.payments ADD IF NOT EXISTS run_ids text[]")


def downgrade() -> None:
    op.execute("ALTER TABLE bc_payment.payments DROP run_ids")
