"""Indexes for statements that would read more rows as the tables grow.

What is pending and what is unpublished have an index each: in a common one, whoever looks for one
reads past all of the other, which may be many after an outage. The failures that close an order
have one, because others may have been tried for it any number of times. For the list of payments by
status, each status that callers see has one. Workers of the version before use the new indexes,
too; only its audit becomes slower.
"""

from db.online import create_index, drop_index

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEXES = {
    "pending_payments": "bc_payment.payments (created_at, id) WHERE status = 'pending'",
    "unpublished_payments": "bc_payment.payments (created_at, id)"
    " WHERE announcement IN ('due', 'begun')",
    "shown_as_pending": "bc_payment.payments (created_at, id)"
    " WHERE status = 'pending' OR status = 'succeeded' AND announcement = 'due'",
    "shown_as_succeeded": "bc_payment.payments (created_at, id)"
    " WHERE status = 'succeeded' AND announcement <> 'due'",
    "shown_as_failed": "bc_payment.payments (created_at, id) WHERE status = 'failed'",
    "closing_failures": "bc_payment.payments (order_id, created_at)"
    " WHERE status = 'failed' AND announcement <> 'none'",
    "refunds_by_end": "bc_payment.refunds (processed_at, id)",
}


def upgrade() -> None:
    for name, definition in INDEXES.items():
        create_index(name, definition)
    drop_index("unfinished_payments")


def downgrade() -> None:
    create_index(
        "unfinished_payments",
        "bc_payment.payments (created_at)"
        " WHERE status = 'pending' OR announcement IN ('due', 'begun')",
    )
    for name in INDEXES:
        drop_index(name)
