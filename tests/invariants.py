"""What must hold whenever a payment has ended, whatever happened on the way."""

from itertools import pairwise

from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from domain.payment import TRANSITIONS, Payment, PaymentStatus
from tests.fakes import World


def assert_everybody_agrees(world: World, payment: Payment) -> None:
    """The gateway's money, the row, the events and the answer tell the same story."""
    succeeded = payment.status is PaymentStatus.SUCCEEDED
    assert payment.is_final
    assert world.payments[payment.id] == payment
    assert len(world.captures) <= 1
    assert world.net_minor_units == (payment.amount.minor_units if succeeded else 0)
    assert world.topics in ([[TOPIC_SUCCEEDED]] if succeeded else [[], [TOPIC_FAILED]])
    assert all(event.payment == payment for event in world.events)
    assert_transitions_are_legal(world.transitions[payment.id])


def assert_transitions_are_legal(statuses: list[PaymentStatus]) -> None:
    for before, after in pairwise(statuses):
        assert after in TRANSITIONS[before]
