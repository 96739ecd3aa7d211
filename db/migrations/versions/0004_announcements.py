"""How far the world has been told of a payment's ending; once told, a success stands.

Workers of the version before may still run: they note nothing, and what they write is accepted.
"""

from alembic import op

from db.online import add_check, create_index, drop_index, update_in_batches

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
    op.execute("""ALTER TABLE bc_payment.payments
        ADD IF NOT EXISTS announcement text NOT NULL DEFAULT 'none',
        ADD IF NOT EXISTS released_reservation_id uuid""")
    add_check(
        "bc_payment.payments",
        "payments_announcement_check",
        "announcement IN ('none', 'due', 'begun', 'made')",
    )
    update_in_batches(
        "bc_payment.payments",
        "announcement = 'made'",
        "status = 'succeeded' AND announcement = 'none'",
    )
    add_check(
        "bc_payment.payments",
        "announced_once_ended",
        "status <> 'pending' OR announcement = 'none'",
    )
    op.execute(
        RECORD_TRANSITION.format(
            condition="(NEW.status = 'pending' OR OLD.announcement IN ('begun', 'made'))"
        )
    )
    drop_index("pending_payments")
    create_index(
        "unfinished_payments",
        "bc_payment.payments (created_at)"
        " WHERE status = 'pending' OR announcement IN ('due', 'begun')",
    )


def downgrade() -> None:
    drop_index("unfinished_payments")
    op.execute(RECORD_TRANSITION.format(condition="NEW.status = 'pending'"))
    create_index("pending_payments", "bc_payment.payments (created_at) WHERE status = 'pending'")
    op.execute("ALTER TABLE bc_payment.payments DROP announcement, DROP released_reservation_id")
