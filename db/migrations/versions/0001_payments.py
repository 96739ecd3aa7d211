"""Payments, their transitions, and the rules that the database enforces by itself."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PAYMENTS = """
CREATE TABLE bc_payment.payments (
    id                 uuid PRIMARY KEY,
    order_id           uuid NOT NULL,
    customer_id        uuid NOT NULL,
    reservation_id     uuid,
    amount_minor       bigint NOT NULL CHECK (amount_minor > 0),
    currency           text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    currency_exponent  smallint NOT NULL CHECK (currency_exponent BETWEEN 0 AND 4),
    payment_method     text NOT NULL,
    status             text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    error_code         text,
    error_message      text,
    failure_reason     text,
    created_at         timestamptz NOT NULL,
    processed_at       timestamptz,
    is_simulated       boolean NOT NULL,
    simulated_response text,
    transaction_id     text,
    CHECK ((status = 'pending') = (processed_at IS NULL)),
    CHECK ((status = 'failed') = (error_code IS NOT NULL))
)
"""

ONE_LIVE_PAYMENT_PER_ORDER = """
CREATE UNIQUE INDEX one_live_payment_per_order
    ON bc_payment.payments (order_id) WHERE status IN ('pending', 'succeeded')
"""

TRANSITIONS = """
CREATE TABLE bc_payment.payment_transitions (
    payment_id  uuid NOT NULL REFERENCES bc_payment.payments,
    to_status   text NOT NULL,
    from_status text,
    error_code  text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (payment_id, to_status)
)
"""

RECORD_TRANSITION = """
CREATE FUNCTION bc_payment.record_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END;
BEGIN
    IF before = 'failed' OR (before = 'succeeded' AND NEW.status = 'pending') THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', NEW.id, before, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO bc_payment.payment_transitions (payment_id, from_status, to_status, error_code)
        VALUES (NEW.id, before, NEW.status, NEW.error_code);
    RETURN NEW;
END
$$
"""

ON_INSERT = """
CREATE TRIGGER first_transition AFTER INSERT ON bc_payment.payments
    FOR EACH ROW EXECUTE FUNCTION bc_payment.record_transition()
"""

ON_UPDATE = """
CREATE TRIGGER next_transition AFTER UPDATE ON bc_payment.payments
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION bc_payment.record_transition()
"""


def upgrade() -> None:
    for statement in (
        PAYMENTS,
        ONE_LIVE_PAYMENT_PER_ORDER,
        "CREATE INDEX payments_by_customer ON bc_payment.payments (customer_id, created_at)",
        TRANSITIONS,
        RECORD_TRANSITION,
        ON_INSERT,
        ON_UPDATE,
    ):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE bc_payment.payment_transitions, bc_payment.payments CASCADE")
    op.execute("DROP FUNCTION bc_payment.record_transition")
