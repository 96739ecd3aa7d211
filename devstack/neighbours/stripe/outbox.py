"""The account's events: those that its endpoint has not accepted yet, and the latest ones."""

from collections import deque
from datetime import datetime
from typing import Any, NamedTuple

from devstack.neighbours.chance import fraction
from devstack.neighbours.stripe.events import Event, body_of

RECENT = 2000
"""The number of latest events that can be read and sent again. Chosen, not measured."""


class Cause(NamedTuple):
    """The cause and the time of events. `request_id` is None if no request was the cause.

    If `has_endpoint` is False, the account had no endpoint, and the events are not sent.
    """

    at: datetime
    request_id: str | None
    key: str | None
    has_endpoint: bool


class Outbox:
    def __init__(self) -> None:
        self.unsent: dict[str, Event] = {}
        """Events that the endpoint has not accepted yet, by their ids, oldest first."""
        self.recent: deque[Event] = deque(maxlen=RECENT)

    def add(self, identifier: str, kind: str, record: Any, order_id: str, cause: Cause) -> None:
        request = {"id": cause.request_id, "idempotency_key": cause.key}
        body = body_of(identifier, kind, record.shown(), cause.at, request)
        event = Event(identifier, kind, record.id, order_id, cause.at, body)
        self.recent.append(event)
        if cause.has_endpoint:
            self.unsent[identifier] = event

    def finish(self, identifier: str) -> None:
        self.unsent.pop(identifier, None)

    def find(self, identifier: str) -> Event | None:
        return next((each for each in self.recent if each.id == identifier), None)


def chosen(identifier: str, name: str, share: float) -> bool:
    """Whether the fault `name` is applied to this event. `share` of all events (0 to 1) get it.

    The result depends only on the arguments, so it is the same after a restart.
    """
    return fraction(f"{name}:{identifier}") < share
