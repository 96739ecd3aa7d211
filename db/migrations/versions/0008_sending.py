"""Successes whose event may have been sent although it is still `due`.

The guard holds for workers of the version before, too: they cannot undo such a success.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

GUARD = """
CREATE FUNCTION bc_payment.guard_sent_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event of payment % may have been sent; it cannot be undone', NEW.id
        USING ERRCODE = 'check_violation';
END
$$
"""
TRIGGER = """
CREATE TRIGGER no_compensation_of_a_sent_event BEFORE UPDATE ON bc_payment.payments
    FOR EACH ROW WHEN (OLD.may_be_sent AND (NEW.status = 'failed'
        OR NEW.compensation_code IS DISTINCT FROM OLD.compensation_code))
    EXECUTE FUNCTION bc_payment.guard_sent_event()
"""


def upgrade() -> None:
    op.execute(GUARD)
    op.execute("ALTER TABLE bc_payment.payments ADD may_be_sent boolean NOT NULL DEFAULT false")
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER no_compensation_of_a_sent_event ON bc_payment.payments")
    op.execute("DROP FUNCTION bc_payment.guard_sent_event")
    op.execute("ALTER TABLE bc_payment.payments DROP may_be_sent")
