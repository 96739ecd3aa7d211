"""Checks the books of the fakes by the same invariants as the audit of production."""

from uuid import UUID

from activities.audit_ports import Effect, Movement, Record
from audit.books import Books, WorkflowRun
from audit.invariants import COMPLETED, violations
from domain import exact_json
from domain.payment import Payment
from tests.support.fakes.world import World


def assert_books_agree(world: World, payment: Payment) -> None:
    """The gateway, the row, the events and the workflow's result agree."""
    books = books_of(world, payment.order_id)
    books.runs.append(WorkflowRun("the test's", COMPLETED, payment))
    assert payment in books.payments
    assert violations(books) == []
    assert world.broken == []


def books_of(world: World, order_id: UUID) -> Books:
    return Books(
        order_id,
        payments=[each for each in world.payments.values() if each.order_id == order_id],
        refunds=[each for each in world.requested_refunds.values() if each.order_id == order_id],
        transitions=world.transitions,
        effects=[
            *(Effect(Movement.CAPTURE, each.key, each.key, each.amount) for each in world.captures),
            *(
                Effect(Movement.REFUND, each.key, each.charge_key, each.amount)
                for each in world.refunds
            ),
        ],
        records=[
            Record(str(each.id), each.topic, each.key, exact_json.dumps(each.value))
            for each in world.events
            if each.key == str(order_id)
        ],
    )
