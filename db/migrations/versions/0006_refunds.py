"""Refunds that callers ask for. Those of a payment never come to more than it has captured."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

REFUNDS = """
CREATE TABLE bc_payment.refunds (
    id            uuid PRIMARY KEY,
    payment_id    uuid NOT NULL REFERENCES bc_payment.payments,
    amount_minor  bigint NOT NULL CHECK (amount_minor > 0),
    status        text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    error_code    text,
    error_message text,
    created_at    timestamptz NOT NULL,
    processed_at  timestamptz,
    is_announced  boolean NOT NULL DEFAULT false,
    CHECK ((status = 'pending') = (processed_at IS NULL)),
    CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CHECK (status = 'succeeded' OR NOT is_announced)
)
"""

# The payment's row is locked first, so that refunds of one payment are counted one after the other.
GUARD_REFUND = """
CREATE FUNCTION bc_payment.guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    captured bigint;
    refunded bigint;
BEGIN
    SELECT amount_minor INTO captured FROM bc_payment.payments
        WHERE id = NEW.payment_id AND status = 'succeeded' AND announcement <> 'due'
        FOR NO KEY UPDATE;
    SELECT coalesce(sum(amount_minor), 0) INTO refunded FROM bc_payment.refunds
        WHERE payment_id = NEW.payment_id AND status <> 'failed' AND id <> NEW.id;
    IF captured IS NULL OR refunded + NEW.amount_minor > captured THEN
        RAISE EXCEPTION 'refund % is more than what is left of payment %', NEW.id, NEW.payment_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""

GUARD_REFUND_CHANGE = """
CREATE FUNCTION bc_payment.guard_refund_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status <> 'pending' AND OLD.status <> NEW.status)
        OR OLD.payment_id <> NEW.payment_id OR OLD.amount_minor <> NEW.amount_minor THEN
        RAISE EXCEPTION 'refund % cannot go from % to %', NEW.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    for statement in (
        REFUNDS,
        "CREATE INDEX refunds_by_payment ON bc_payment.refunds (payment_id, created_at)",
        """CREATE INDEX unfinished_refunds ON bc_payment.refunds (created_at)
            WHERE status = 'pending' OR (status = 'succeeded' AND NOT is_announced)""",
        GUARD_REFUND,
        """CREATE TRIGGER never_more_than_captured BEFORE INSERT ON bc_payment.refunds
            FOR EACH ROW EXECUTE FUNCTION bc_payment.guard_refund()""",
        GUARD_REFUND_CHANGE,
        """CREATE TRIGGER legal_change BEFORE UPDATE ON bc_payment.refunds
            FOR EACH ROW EXECUTE FUNCTION bc_payment.guard_refund_change()""",
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE bc_payment.refunds")
    op.execute("DROP FUNCTION bc_payment.guard_refund, bc_payment.guard_refund_change")
