"""The gateway of each payment, and the gateway's own ids of charges and refunds.

Workers of the earlier version do not write the new columns. The defaults are right for their
payments, which are all at the simulator. The guard also holds for these workers.
"""

from alembic import op

from db.online import create_index, drop_index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = (
    """ALTER TABLE bc_payment.payments
        ADD IF NOT EXISTS gateway text NOT NULL DEFAULT 'simulator',
        ADD IF NOT EXISTS gateway_reference text""",
    """ALTER TABLE bc_payment.refunds
        ADD IF NOT EXISTS gateway_reference text,
        ADD IF NOT EXISTS failed_later_at timestamptz""",
)
GUARD = """
CREATE OR REPLACE FUNCTION bc_payment.guard_reference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment % keeps its gateway, and the reference that it has there', NEW.id
        USING ERRCODE = 'check_violation';
END
$$
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER no_other_reference BEFORE UPDATE ON bc_payment.payments
    FOR EACH ROW WHEN (NEW.gateway <> OLD.gateway
        OR OLD.gateway_reference IS NOT NULL
            AND NEW.gateway_reference IS DISTINCT FROM OLD.gateway_reference)
    EXECUTE FUNCTION bc_payment.guard_reference()
"""


def upgrade() -> None:
    for statement in (*COLUMNS, GUARD, TRIGGER):
        op.execute(statement)
    create_index(
        "one_payment_per_reference",
        "bc_payment.payments (gateway, gateway_reference) WHERE gateway_reference IS NOT NULL",
        is_unique=True,
    )


def downgrade() -> None:
    drop_index("one_payment_per_reference")
    op.execute("DROP TRIGGER no_other_reference ON bc_payment.payments")
    op.execute("DROP FUNCTION bc_payment.guard_reference")
    op.execute("ALTER TABLE bc_payment.payments DROP gateway, DROP gateway_reference")
    op.execute("ALTER TABLE bc_payment.refunds DROP gateway_reference, DROP failed_later_at")
