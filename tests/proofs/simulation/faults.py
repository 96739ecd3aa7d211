"""The fault model: what can go wrong at each operation of a payment, and around it.

A case is written as `paid charge:lost record_succeeded:refused +tells +late`: a scenario, the
faults, and the circumstances that differ from the usual ones. If an operation has several faults,
the first strikes its first call, the second its second call.

An answer about something else (another order, another amount) is not a kind of fault here. The
adapters refuse such an answer, so the saga only sees that there was none.
"""

from enum import StrEnum
from typing import NamedTuple, Self

from domain.errors import ErrorCode
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from tests.proofs.simulation.scenario import WAITING, Scenario


class Kind(StrEnum):
    TRANSIENT = "transient"
    """One request has no effect and gets no response."""
    LOST = "lost"
    """The request has its effect, but the response is lost."""
    LATE = "late"
    """The request gets no response. It has its effect after a later request (`Delay`)."""
    DUPLICATE = "duplicate"
    """The request has its effect twice."""
    OUTAGE = "outage"
    """The system is down for six hours: requests have no effect and get no response."""
    LONG_OUTAGE = "long-outage"
    """The system is down for 25 hours. After that, the gateway does not know its keys any more."""
    REFUSED = "refused"
    """One request is refused with an error that is not retryable."""
    GARBAGE = "garbage"
    """The request has its effect, but the adapter cannot read the response."""
    CANCELLED = "cancelled"
    """An operator requests the cancellation of the workflow during the operation."""
    TERMINATED = "terminated"
    """The request has no effect. The workflow is terminated: no code of it runs any more."""
    TERMINATED_AFTER = "terminated-after"
    """The request has its effect. Then the workflow is terminated."""
    TERMINATED_LATE = "terminated-late"
    """The workflow is terminated. The request has its effect after a later request (`Delay`)."""
    WORKER_DIED = "worker-died"
    """The request has no effect. The worker dies, and another one does its workflow task again."""
    WORKER_DIED_AFTER = "worker-died-after"
    """The request has its effect. Then the worker dies, as above."""
    WORKER_DIED_LATE = "worker-died-late"
    """The worker dies, as above. The request has its effect after a later request (`Delay`)."""
    TASK_EXPIRED = "task-expired"
    """The time of the workflow task is over, and it is done again. The try is not stopped: after a
    later request (`Delay`), the request has its effect, and the try goes on."""
    ORDER_CANCELLED = "order-cancelled"
    """Before the request, the customer cancels the order, if it is pending."""
    ORDER_PAID = "order-paid"
    """Before the request, the order is paid in another way, if it is pending."""
    RESERVATION_EXPIRED = "reservation-expired"
    """Before the request, the reservation expires."""
    RESERVATION_SOLD = "reservation-sold"
    """Before the request, the reserved seat is sold in another way."""
    CONFIRMED = "confirmed"
    """Before the request, the customer confirms or pays, if the attempt waits for that."""
    NOT_AUTHENTICATED = "not-authenticated"
    """Before the request, the authentication of the customer at the bank fails (3-D Secure). On a
    hosted page, the first card is declined."""
    EVENT_RECEIVED = "event-received"
    """Before the request, the workflow gets two signals of a gateway's event, although nothing has
    changed at the gateway."""


TERMINATIONS = frozenset({Kind.TERMINATED, Kind.TERMINATED_AFTER, Kind.TERMINATED_LATE})
OF_CUSTOMERS = frozenset({Kind.CONFIRMED, Kind.NOT_AUTHENTICATED, Kind.EVENT_RECEIVED})
"""These belong to payments that wait for their customer. The request itself succeeds."""
CHANGES = frozenset(
    {
        Kind.ORDER_CANCELLED,
        Kind.ORDER_PAID,
        Kind.RESERVATION_EXPIRED,
        Kind.RESERVATION_SOLD,
        Kind.CONFIRMED,
        Kind.NOT_AUTHENTICATED,
    }
)
"""These change an order, a reservation, or an attempt. The request itself succeeds."""
TASK_LOSSES = frozenset(
    {Kind.WORKER_DIED, Kind.WORKER_DIED_AFTER, Kind.WORKER_DIED_LATE, Kind.TASK_EXPIRED}
)
AFTER = frozenset(
    {
        Kind.LOST,
        Kind.GARBAGE,
        Kind.TERMINATED_AFTER,
        Kind.WORKER_DIED_AFTER,
    }
)
"""These happen after the request has had its effect."""


class Gateway(StrEnum):
    """What the gateway answers if a charge is sent again."""

    REPLAYS = "replays"
    """What it answered the first time."""
    TELLS = "tells"
    """How the charge stands now."""


class Hearing(StrEnum):
    """When Ordering and Inventory hear of an event."""

    AT_ONCE = "at-once"
    LATE = "late"
    """After the next request."""
    LAST = "last"
    """When everything has ended."""
    REVERSED = "reversed"
    """When everything has ended, the events that were published last first."""


class First(StrEnum):
    """Who comes first after a workflow was lost."""

    RECONCILIATION = "reconciliation"
    CALLER = "caller"
    """The caller sends the next request before the reconciliation runs."""


class Again(StrEnum):
    """Who pays the order a second time."""

    ANOTHER = "another"
    """The same customer, as another payment."""
    SAME_KEY = "same-key"
    """The same customer, with the same Idempotency-Key."""
    STRANGER = "stranger"
    """Another customer."""


class Delay(StrEnum):
    """After which later request to the same system a late request has its effect."""

    NEXT = "next"
    THIRD = "third"
    FIFTH = "fifth"


CALLS = {Delay.NEXT: 1, Delay.THIRD: 3, Delay.FIFTH: 5}


class Circumstances(NamedTuple):
    gateway: Gateway = Gateway.REPLAYS
    hearing: Hearing = Hearing.AT_ONCE
    first: First = First.RECONCILIATION
    again: Again = Again.ANOTHER
    delay: Delay = Delay.NEXT

    def __str__(self) -> str:
        return " ".join(
            f"+{each}" for each, usual in zip(self, USUAL, strict=True) if each != usual
        )

    @classmethod
    def parse(cls, words: list[str]) -> Self:
        """Read words such as `+late`. Raises ValueError for an unknown one."""
        by_word = {f"+{each}": each for each in (*Gateway, *Hearing, *First, *Again, *Delay)}
        if unknown := set(words) - set(by_word):
            raise ValueError(f"{', '.join(unknown)}: none of {', '.join(by_word)}")
        chosen = {type(by_word[word]).__name__.lower(): by_word[word] for word in words}
        return cls(**(USUAL._asdict() | chosen))


USUAL = Circumstances()

REFUSALS = {
    "fetch_order": ErrorCode.ORDER_NOT_FOUND,
    "fetch_reservation": ErrorCode.RESERVATION_NOT_ACTIVE,
    "record_pending": ErrorCode.RECORD_REFUSED,
    "find_payment": ErrorCode.RECORD_REFUSED,
    "charge": ErrorCode.PROCESSOR_ERROR,
    "open_charge": ErrorCode.PROCESSOR_ERROR,
    "record_reference": ErrorCode.RECORD_REFUSED,
    "record_wait": ErrorCode.RECORD_REFUSED,
    "authorize": ErrorCode.PROCESSOR_ERROR,
    "capture": ErrorCode.PROCESSOR_ERROR,
    "find_charge": ErrorCode.PROCESSOR_ERROR,
    "void_charge": ErrorCode.PROCESSOR_ERROR,
    "refund": ErrorCode.REFUND_REFUSED,
    "record_succeeded": ErrorCode.RECORD_REFUSED,
    "record_compensation": ErrorCode.RECORD_REFUSED,
    "record_failed": ErrorCode.RECORD_REFUSED,
    "record_unsent": ErrorCode.RECORD_REFUSED,
    "record_announcement": ErrorCode.RECORD_REFUSED,
    TOPIC_SUCCEEDED: ErrorCode.EVENT_REFUSED,
    TOPIC_FAILED: ErrorCode.EVENT_REFUSED,
}
OPERATIONS = tuple(REFUSALS)
"""All operations of a payment."""


class Fault(NamedTuple):
    operation: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.operation}:{self.kind}"

    @classmethod
    def parse(cls, text: str) -> Self:
        operation, _, kind = text.partition(":")
        if operation not in OPERATIONS:
            raise ValueError(f"{operation} is none of {', '.join(OPERATIONS)}")
        return cls(operation, Kind(kind))


SOON_ASKED_AGAIN = frozenset({"fetch_order", "fetch_reservation"})
"""These are asked again every ten minutes. An outage of six hours has many such rounds already, so
there is no longer one."""
LOCAL = frozenset(
    {
        "fetch_order",
        "fetch_reservation",
        "record_pending",
        "record_reference",
        "record_wait",
        "record_succeeded",
        TOPIC_SUCCEEDED,
        "record_unsent",
        "record_announcement",
        "find_payment",
    }
)
"""The operations that are tried inside a workflow task. Elsewhere the loss of a worker is the loss
of a response."""


def _is_possible(operation: str, kind: Kind) -> bool:
    if kind in TASK_LOSSES:
        return operation in LOCAL
    return not (kind is Kind.LONG_OUTAGE and operation in SOON_ASKED_AGAIN)


FAULTS = tuple(
    Fault(operation, kind)
    for operation in OPERATIONS
    for kind in Kind
    if _is_possible(operation, kind)
)


def fits(fault: Fault, scenario: Scenario) -> bool:
    """Whether the fault can happen in this scenario."""
    return fault.kind not in OF_CUSTOMERS or scenario in WAITING


class Case(NamedTuple):
    scenario: Scenario
    faults: tuple[Fault, ...]
    circumstances: Circumstances = USUAL

    def __str__(self) -> str:
        words = [self.scenario, *map(str, self.faults), str(self.circumstances)]
        return " ".join(each for each in words if each)

    @classmethod
    def parse(cls, text: str) -> Self:
        scenario, *rest = text.split()
        faults = [each for each in rest if not each.startswith("+")]
        circumstances = Circumstances.parse([each for each in rest if each.startswith("+")])
        return cls(Scenario(scenario), tuple(map(Fault.parse, faults)), circumstances)
