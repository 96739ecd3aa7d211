"""Compensations that are recorded before they refund, orders that a published failure closes.

Columns that are added have constant defaults, so no row is rewritten. Workers of the version
before may still run: they leave the new columns empty, and the guards hold for them too.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE bc_payment.payments
    ADD compensation_code text,
    ADD compensation_message text,
    ADD announced_at timestamptz,
    ADD reattempt_after_seconds integer
"""

RECORD_TRANSITION = """
CREATE OR REPLACE FUNCTION bc_payment.record_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END;
BEGIN
    IF before = 'failed' OR (before = 'succeeded' AND
            (NEW.status = 'pending' OR OLD.announcement IN ('begun', 'made'))){guard} THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', NEW.id, before, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO bc_payment.payment_transitions (payment_id, from_status, to_status, error_code)
        VALUES (NEW.id, before, NEW.status, NEW.error_code);
    RETURN NEW;
END
$$
"""
NO_SUCCESS_WHILE_COMPENSATING = """
        OR (before = 'pending' AND NEW.status = 'succeeded'
            AND OLD.compensation_code IS NOT NULL)"""

# It runs after the row is inserted: the unique index has then waited for the payment that held the
# order, and a new snapshot sees how that one has ended.
GUARD_CLOSED_ORDER = """
CREATE FUNCTION bc_payment.guard_closed_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM bc_payment.payments
        WHERE order_id = NEW.order_id AND status = 'failed' AND announcement <> 'none'
            AND (announcement <> 'made' OR NEW.reattempt_after_seconds IS NULL
                OR coalesce(announced_at, processed_at)
                    > clock_timestamp() - make_interval(secs => NEW.reattempt_after_seconds))
    ) THEN
        RAISE EXCEPTION 'order % is closed: a failure of it is published', NEW.order_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""

RECONCILIATION = """
CREATE TABLE bc_payment.reconciliation (
    is_only_row  boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    completed_at timestamptz NOT NULL
)
"""
# A new deployment is not warned before its first rounds could have run.
FIRST_ROUND = "INSERT INTO bc_payment.reconciliation VALUES (true, clock_timestamp())"


def upgrade() -> None:
    for statement in (
        RECONCILIATION,
        FIRST_ROUND,
        GUARD_CLOSED_ORDER,
        RECORD_TRANSITION.format(guard=NO_SUCCESS_WHILE_COMPENSATING),
        COLUMNS,
        """CREATE TRIGGER no_payment_of_a_closed_order AFTER INSERT ON bc_payment.payments
            FOR EACH ROW WHEN (NEW.status = 'pending')
            EXECUTE FUNCTION bc_payment.guard_closed_order()""",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE bc_payment.reconciliation")
    op.execute("DROP TRIGGER no_payment_of_a_closed_order ON bc_payment.payments")
    op.execute("DROP FUNCTION bc_payment.guard_closed_order")
    op.execute(RECORD_TRANSITION.format(guard=""))
    op.execute(
        """ALTER TABLE bc_payment.payments DROP compensation_code, DROP compensation_message,
            DROP announced_at, DROP reattempt_after_seconds"""
    )
