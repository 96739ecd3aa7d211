"""One Stripe account: its payments, sessions, refunds and disputes, and the responses it saved."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from devstack.neighbours.chance import fraction
from devstack.neighbours.journal import Journal
from devstack.neighbours.stripe import sessions
from devstack.neighbours.stripe.behaviour import Behaviour, Fault, Limits
from devstack.neighbours.stripe.cards import CARDS, GENERIC_DECLINE, PREFIX, Card
from devstack.neighbours.stripe.checkout_records import Dispute, Session
from devstack.neighbours.stripe.errors import StripeError, resource_missing
from devstack.neighbours.stripe.events import types_of
from devstack.neighbours.stripe.ledger import Ledger
from devstack.neighbours.stripe.machine import Changes, new_id
from devstack.neighbours.stripe.outbox import Cause, Outbox, chosen
from devstack.neighbours.stripe.records import Charge, Intent, Refund
from devstack.neighbours.times import iso_utc, utc_now

Record = Intent | Charge | Refund | Session | Dispute
MODELS: Mapping[str, type[Record]] = {
    "intent": Intent,
    "charge": Charge,
    "refund": Refund,
    "session": Session,
    "dispute": Dispute,
}
"""The kinds of records. The events of a request have this order."""
RecordT = TypeVar("RecordT", Intent, Refund, Session, Dispute)


class Saved(BaseModel):
    """The saved response to the first request with an idempotency key."""

    key: str
    path: str
    values: dict[str, Any]
    status: int
    body: str
    request_id: str


class Account:
    """Stores everything in a journal, so that a restart changes nothing.

    One line of it has all changes of one request or one act of a customer, their events, and the
    response that is saved under the idempotency key. `address` is the URL of the double itself.
    `has_endpoint` says whether there is an endpoint to which events are sent.
    """

    def __init__(
        self,
        path: Path,
        behaviour: Behaviour,
        limits: Limits,
        seed: int = 0,
        *,
        address: str = "",
        has_endpoint: bool = False,
    ) -> None:
        self.behaviour = behaviour
        self.limits = limits
        self.address = address
        self.faults: list[Fault] = []
        self.intents: dict[str, Intent] = {}
        self.charges: dict[str, Charge] = {}
        self.refunds: dict[str, Refund] = {}
        self.sessions: dict[str, Session] = {}
        self.disputes: dict[str, Dispute] = {}
        self.saved: dict[str, Saved] = {}
        self.ledger = Ledger()
        self.outbox = Outbox()
        self.changed_at: dict[str, datetime] = {}
        """The time of the last change of each PaymentIntent. The search finds changes late."""
        self.waiting: dict[str, datetime] = {}
        """When each payment or session that waits for its customer began to wait."""
        self._tables: dict[str, dict[str, Any]] = {
            "intent": self.intents,
            "charge": self.charges,
            "refund": self.refunds,
            "session": self.sessions,
            "dispute": self.disputes,
        }
        self._order_behaviours: dict[str, Behaviour] = {}
        self._methods: dict[str, str] = {}
        self._used: set[str] = set()
        self._seed = seed
        self._has_endpoint = has_endpoint
        self.journal = Journal(path, self._apply)

    def keep(
        self, changes: Changes, saved: Saved | None = None, request_id: str | None = None
    ) -> None:
        """Record the changes of one request or act, and the response to save under its key."""
        changes = self._with_session(changes)
        records = {name: getattr(changes, name) for name in MODELS}
        data: dict[str, Any] = {name: each.model_dump() for name, each in records.items() if each}
        if saved:
            data["saved"] = saved.model_dump()
        data["used"] = sorted(changes.used)
        data["events"] = [
            {"id": new_id("evt"), "type": kind, "of": name}
            for name, record in records.items()
            if record
            for kind in self._types_of(name, record)
        ]
        cause = {"request": request_id, "has_endpoint": self._has_endpoint}
        self.journal.append("request.executed", {**data, **cause, "at": iso_utc(utc_now())})

    def set_behaviour(self, behaviour: Behaviour, order_id: str | None = None) -> None:
        """Set the behaviour of one order, or of all orders without a behaviour of their own."""
        members = {"orderId": order_id, "behaviour": behaviour.model_dump()}
        self.journal.append("behaviour.changed", members)

    def set_limits(self, limits: Limits) -> None:
        self.journal.append("limits.changed", limits.model_dump())

    def forget_keys(self) -> None:
        """Remove all idempotency keys, as Stripe may do when they are older than 24 hours."""
        self.journal.append("keys.forgotten", {})

    def add_method(self, identifier: str, card: str) -> None:
        """Add a PaymentMethod or a ConfirmationToken of this test card. It can be used once."""
        self.journal.append("method.added", {"id": identifier, "card": card})

    def finish_event(self, identifier: str) -> None:
        """Stop sending the event: the endpoint has accepted it, or will never get it."""
        self.journal.append("event.finished", {"id": identifier})

    def behaviour_of(self, record: Record) -> Behaviour:
        return self.behaviour_of_order(self.order_of(record))

    def behaviour_of_order(self, order_id: str) -> Behaviour:
        return self._order_behaviours.get(order_id, self.behaviour)

    def behaviours(self) -> Iterator[Behaviour]:
        yield self.behaviour
        yield from self._order_behaviours.values()

    def order_of(self, record: Record) -> str:
        if isinstance(record, Session):
            return record.order_id
        if isinstance(record, Refund | Dispute):
            record = self.charges[record.charge]
        return record.metadata.get("order_id", "")

    def intent(self, identifier: str) -> Intent:
        """Return the PaymentIntent with this id. Raises StripeError (404) if it does not exist."""
        return _found(self.intents, identifier, "payment_intent", "intent")

    def refund(self, identifier: str) -> Refund:
        """Return the refund with this id. Raises StripeError (404) if it does not exist."""
        return _found(self.refunds, identifier, "refund", "id")

    def dispute(self, identifier: str) -> Dispute:
        """Return the dispute with this id. Raises StripeError (404) if it does not exist."""
        return _found(self.disputes, identifier, "dispute", "dispute")

    def session(self, identifier: str) -> Session:
        """Return the Checkout Session with this id.

        Raises StripeError (404) if it does not exist.
        """
        return _found(self.sessions, identifier, "checkout.session", "session")

    def intent_of(self, session: Session) -> Intent | None:
        return self.intents.get(session.payment_intent or "")

    def latest_charge(self, intent: Intent) -> Charge | None:
        return self.charges.get(intent.latest_charge or "")

    def card(self, token: str, param: str, intent: Intent) -> Card:
        """Return the card of a PaymentMethod or a ConfirmationToken.

        Raises StripeError (400) if the token does not exist, or was used before.
        """
        name = self._methods.get(token)
        if name is None and param == "payment_method" and token.startswith(PREFIX):
            name = token.removeprefix(PREFIX)
        if name is None or name not in CARDS:
            kind = "PaymentMethod" if param == "payment_method" else "confirmationtoken"
            raise resource_missing(kind, token, param=param, status=400)
        if token in self._used:
            message = "The provided PaymentMethod was previously used with a PaymentIntent without "
            raise StripeError(400, f"{message}Customer attachment. It may not be used again.")
        return self.unless_unlucky(CARDS[name], intent)

    def unless_unlucky(self, card: Card, payment: Intent | Session) -> Card:
        """Return the card, or a declined card for the share of payments that must fail."""
        success_rate = self.behaviour_of(payment).success_rate
        is_lucky = fraction(f"{self._seed}:{payment.id}") < success_rate
        return card if is_lucky else Card(GENERIC_DECLINE)

    def take_fault(self, operation: str) -> Fault | None:
        for position, fault in enumerate(self.faults):
            if fault.operation == operation:
                del self.faults[position]
                if fault.times > 1:
                    rest = fault.model_copy(update={"times": fault.times - 1})
                    self.faults.insert(position, rest)
                return fault
        return None

    def refunds_of(self, charge: Charge) -> Iterator[Refund]:
        return (each for each in self.refunds.values() if each.charge == charge.id)

    def _with_session(self, changes: Changes) -> Changes:
        """The changes, with those of the PaymentIntent's Checkout Session if it has one."""
        intent = changes.intent
        if intent is None:
            return changes
        session = changes.session or self.sessions.get(intent.session or "")
        if session is None:
            return changes
        return replace(changes, session=sessions.follow(session, intent))

    def _types_of(self, name: str, record: Record) -> Iterator[str]:
        share = self.behaviour_of(record).events.tell_twice
        for kind in types_of(self._tables[name].get(record.id), record):
            yield kind
            if chosen(f"{record.id}:{kind}", "tell_twice", share):
                yield kind

    def _apply(self, kind: str, data: dict[str, Any]) -> None:
        appliers: dict[str, Callable[[dict[str, Any]], None]] = {
            "request.executed": self._apply_changes,
            "behaviour.changed": self._apply_behaviour,
            "limits.changed": self._apply_limits,
            "method.added": self._apply_method,
            "keys.forgotten": lambda _: self.saved.clear(),
            "event.finished": lambda data: self.outbox.finish(data["id"]),
        }
        appliers[kind](data)

    def _apply_changes(self, data: dict[str, Any]) -> None:
        at = datetime.fromisoformat(data["at"])
        found = {name: MODELS[name].model_validate(data[name]) for name in MODELS if name in data}
        for name, record in found.items():
            before = self._tables[name].get(record.id)
            self._note_money(before, record, data["at"])
            self._tables[name][record.id] = record
            self._note_waiting(record, at)
        if "saved" in data:
            saved = Saved.model_validate(data["saved"])
            self.saved[saved.key] = saved
        self._used.update(data["used"])
        key = data.get("saved", {}).get("key")
        cause = Cause(at, data.get("request"), key, data.get("has_endpoint", False))
        for each in data.get("events", ()):
            record = found[each["of"]]
            self.outbox.add(each["id"], each["type"], record, self.order_of(record), cause)

    def _note_money(self, before: Any, record: Record, at: str) -> None:
        match record:
            case Charge():
                self.ledger.note_charge(before, record, at)
            case Refund():
                self.ledger.note_refund(before, record, self.charges[record.charge], at)

    def _note_waiting(self, record: Record, at: datetime) -> None:
        match record:
            case Intent():
                self.changed_at[record.id] = at
                waits = record.status == "requires_action" and not record.session
            case Session():
                waits = record.status == "open"
            case _:
                return
        if waits:
            self.waiting[record.id] = at
        else:
            self.waiting.pop(record.id, None)

    def _apply_behaviour(self, data: dict[str, Any]) -> None:
        behaviour = Behaviour.model_validate(data["behaviour"])
        if data["orderId"] is None:
            self.behaviour = behaviour
        else:
            self._order_behaviours[data["orderId"]] = behaviour

    def _apply_limits(self, data: dict[str, Any]) -> None:
        self.limits = Limits.model_validate(data)

    def _apply_method(self, data: dict[str, Any]) -> None:
        self._methods[data["id"]] = data["card"]


def _found(records: Mapping[str, RecordT], identifier: str, kind: str, param: str) -> RecordT:
    record = records.get(identifier)
    if record is None:
        raise resource_missing(kind, identifier, param=param, status=404)
    return record
