"""Changes that do not come from a request of ours: customers act, refunds end, sessions expire."""

from contextlib import suppress
from datetime import datetime, timedelta

from devstack.neighbours.stripe import machine, refunds, sessions
from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.behaviour import Act
from devstack.neighbours.stripe.cards import CARDS, GENERIC_DECLINE
from devstack.neighbours.stripe.checkout_records import Session
from devstack.neighbours.stripe.errors import StripeError
from devstack.neighbours.stripe.records import Intent
from devstack.neighbours.times import unix_seconds, utc_now

_CARDS: dict[Act, str] = {
    "pay": "visa",
    "confirm": "authenticationRequired",
    "decline": "chargeDeclined",
    "fail": "authenticationRequired",
}
"""The card that the customer uses for each act on Stripe's page."""


def act(account: Account, identifier: str, does: Act) -> None:
    """Make the customer of this PaymentIntent or Checkout Session act.

    Raises StripeError: 400 if it does not wait for its customer, 404 if it does not exist.
    """
    if identifier.startswith("cs_"):
        _act_at_checkout(account, account.session(identifier), does)
    else:
        act_at_bank(account, account.intent(identifier), does)


def act_at_bank(account: Account, intent: Intent, does: Act) -> None:
    machine.check_waits(intent)
    if does == "fail":
        account.keep(machine.fail_authentication(intent))
    elif does != "abandon":
        decline = GENERIC_DECLINE if does == "decline" else None
        account.keep(machine.authenticate(intent, unix_seconds(), decline))


def pay_at_checkout(account: Account, session: Session, card: str) -> None:
    """Pay with this card on the session's page. If its bank asks, the PaymentIntent waits."""
    taken = account.unless_unlucky(CARDS[card], session)
    intent = account.intent_of(session)
    account.keep(sessions.pay(session, intent, taken, unix_seconds(), account.address))


def catch_up(account: Account) -> None:
    """Do everything that is due: end refunds, expire sessions, let customers act."""
    _end_refunds(account)
    for identifier, since in [*account.waiting.items()]:
        payment = account.sessions.get(identifier) or account.intents[identifier]
        # A test may have put the payment into a state in which this cannot be done.
        with suppress(StripeError):
            if isinstance(payment, Session) and payment.expires_at <= unix_seconds():
                account.keep(sessions.expire(payment, account.intent_of(payment), unix_seconds()))
            else:
                _act_alone(account, payment, since)


def _act_alone(account: Account, payment: Intent | Session, since: datetime) -> None:
    """Make the customer act without a browser, if the settings say so and the time has come."""
    behaviour = account.behaviour_of(payment)
    done = payment.tries if isinstance(payment, Session) else 0
    is_due = since + timedelta(milliseconds=behaviour.customer_after_ms) <= utc_now()
    if is_due and (acts := behaviour.customer[done : done + 1]):
        act(account, payment.id, acts[0])


def _act_at_checkout(account: Account, session: Session, does: Act) -> None:
    sessions.check_open(session)
    if does == "abandon":
        return
    pay_at_checkout(account, session, _CARDS[does])
    intent = account.intent_of(account.session(session.id))
    if intent and intent.status == "requires_action":
        act_at_bank(account, intent, does)


def _end_refunds(account: Account) -> None:
    """End the pending refunds that are due."""
    if not any(each.refund_ends for each in account.behaviours()):
        return
    now = utc_now()
    for refund in [*account.refunds.values()]:
        charge = account.charges[refund.charge]
        behaviour = account.behaviour_of(charge)
        ends, begun = behaviour.refund_ends, refund.status == behaviour.refund
        is_due = 1000 * (now.timestamp() - refund.created) >= behaviour.refund_ends_after_ms
        if charge.captured and ends and begun and ends != refund.status and is_due:
            account.keep(refunds.end_refund(charge, refund, ends))
