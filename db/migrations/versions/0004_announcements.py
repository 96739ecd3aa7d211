"""How far the world has been told of a payment's ending; once told, a success stands.

Workers of the version before may still run: they note nothing, and what they write is accepted.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RECORD_TRANSITION = """
CREATE OR REPLACE FUNCTION bc_payment.record_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END;
BEGIN
    IF before = 'failed' OR (before = 'succeeded' AND {condition}) THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', NEW.id, before, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO bc_payment.payment_transitions (payment_id, from_status, to_status, error_code)
        VALUES (NEW.id, before, NEW.status, NEW.error_code);
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    for statement in (
        """ALTER TABLE bc_payment.payments
            ADD announcement text NOT NULL DEFAULT 'none'
                CHECK (announcement IN ('none', 'due', 'begun', 'made')),
            ADD released_reservation_id uuid""",
        "UPDATE bc_payment.payments SET announcement = 'made' WHERE status = 'succeeded'",
        """ALTER TABLE bc_payment.payments ADD CONSTRAINT announced_once_ended
            CHECK (status <> 'pending' OR announcement = 'none')""",
        RECORD_TRANSITION.format(
            condition="(NEW.status = 'pending' OR OLD.announcement IN ('begun', 'made'))"
        ),
        "DROP INDEX bc_payment.pending_payments",
        """CREATE INDEX unfinished_payments ON bc_payment.payments (created_at)
            WHERE status = 'pending' OR announcement IN ('due', 'begun')""",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX bc_payment.unfinished_payments")
    op.execute(RECORD_TRANSITION.format(condition="NEW.status = 'pending'"))
    op.execute(
        "CREATE INDEX pending_payments ON bc_payment.payments (created_at) WHERE status = 'pending'"
    )
    op.execute("ALTER TABLE bc_payment.payments DROP announcement, DROP released_reservation_id")
