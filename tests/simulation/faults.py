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


class Kind(StrEnum):
    TRANSIENT = "transient"
    """One call has no effect and gets no answer."""
    LOST = "lost"
    """The call has its effect, but its answer is lost."""
    LATE = "late"
    """The call gets no answer. Its effect comes after a later call of the same system (`Delay`)."""
    DUPLICATE = "duplicate"
    """The call has its effect twice."""
    OUTAGE = "outage"
    """For six hours, calls have no effect and get no answer."""
    LONG_OUTAGE = "long-outage"
    """The same for 25 hours. The gateway has forgotten its keys then."""
    REFUSED = "refused"
    """One call is refused for good."""
    GARBAGE = "garbage"
    """The call has its effect, and the adapter raises an unexpected error on its answer."""
    CANCELLED = "cancelled"
    """An operator asks for the cancellation of the workflow while the operation runs."""
    TERMINATED = "terminated"
    """The call has no effect, and the workflow is lost: its code runs no further."""
    TERMINATED_AFTER = "terminated-after"
    """The call has its effect, and the workflow is lost."""
    TERMINATED_LATE = "terminated-late"
    """The workflow is lost. The effect comes after a later call of the same system (`Delay`)."""
    ORDER_CANCELLED = "order-cancelled"
    """Before the call, the customer cancels the order, if it is pending."""
    ORDER_PAID = "order-paid"
    """Before the call, the order is paid in another way, if it is pending."""
    RESERVATION_EXPIRED = "reservation-expired"
    """Before the call, Inventory ends the reservation."""
    RESERVATION_SOLD = "reservation-sold"
    """Before the call, the reserved seat is sold in another way."""


TERMINATIONS = frozenset({Kind.TERMINATED, Kind.TERMINATED_AFTER, Kind.TERMINATED_LATE})
CHANGES = frozenset(
    {Kind.ORDER_CANCELLED, Kind.ORDER_PAID, Kind.RESERVATION_EXPIRED, Kind.RESERVATION_SOLD}
)
"""These change an order or a reservation. The call itself goes well."""
AFTER = frozenset({Kind.LOST, Kind.GARBAGE, Kind.TERMINATED_AFTER})
"""These strike when the call has had its effect."""


class Scenario(StrEnum):
    """What happens in a case without its faults."""

    PAID = "paid"
    UNRESERVED = "unreserved"
    DECLINED = "declined"
    LAPSING = "lapsing"
    """The reservation ends half an hour after the request."""
    UNRECORDABLE = "unrecordable"
    """The database refuses to record the success, so that the payment is refunded."""
    REJECTED = "rejected"
    """The order is not pending."""
    REATTEMPTED = "reattempted"
    """The charge is declined. Consumers keep the order open, and another attempt is allowed."""

    # A run was lost before, and left this behind.
    CLAIMED = "claimed"
    """A pending row and nothing else."""
    STALE = "stale"
    """A pending row and a capture, a day ago; the gateway has forgotten the key."""
    UNPUBLISHED = "unpublished"
    """A success whose event is due."""
    BEGUN = "begun"
    """A success whose event may be out."""
    UNDONE = "undone"
    """A pending row that is being undone, and a capture."""
    UNDONE_SUCCESS = "undone-success"
    """A success, its event due, that is being undone."""
    REFUNDED = "refunded"
    """A success, its event due, whose capture version 0.1.0 has refunded."""
    FAILED_BESIDE_SUCCESS = "failed-beside-success"
    """A failure whose event is due, and another payment that has paid the order."""
    FAILED_BESIDE_PENDING = "failed-beside-pending"
    """As version 0.1.0 leaves it: a failure whose event may be out, and a young pending payment."""


FRESH = frozenset(
    {
        Scenario.PAID,
        Scenario.UNRESERVED,
        Scenario.DECLINED,
        Scenario.LAPSING,
        Scenario.UNRECORDABLE,
        Scenario.REJECTED,
        Scenario.REATTEMPTED,
    }
)
"""These scenarios begin with a request. All others begin with what a lost run has left."""


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
    """Temporal has lost its schedule, too: the reconciliation runs after the caller's request."""


class Again(StrEnum):
    """Who pays the order a second time."""

    ANOTHER = "another"
    """The same customer, as another payment."""
    SAME_KEY = "same-key"
    """The same customer, with the same Idempotency-Key."""
    STRANGER = "stranger"
    """Another customer."""


class Delay(StrEnum):
    """When a late effect comes: after which call of the same system."""

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
    "find_charge": ErrorCode.PROCESSOR_ERROR,
    "void_charge": ErrorCode.PROCESSOR_ERROR,
    "refund": ErrorCode.REFUND_REFUSED,
    "record_succeeded": ErrorCode.RECORD_REFUSED,
    "record_compensation": ErrorCode.RECORD_REFUSED,
    "record_failed": ErrorCode.RECORD_REFUSED,
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
FAULTS = tuple(
    Fault(operation, kind)
    for operation in OPERATIONS
    for kind in Kind
    if not (kind is Kind.LONG_OUTAGE and operation in SOON_ASKED_AGAIN)
)


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
