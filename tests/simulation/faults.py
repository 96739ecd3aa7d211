"""The fault model: what can happen at each operation of the saga, and around it.

A case reads and parses as `paid charge:lost record_succeeded:refused +tells +late`: a scenario,
faults, and what of its circumstances differs from the usual. Faults of one operation strike its
calls one after the other.

A neighbour's answer about something else (another order's body, another charge's amount) is no
kind of its own: the adapters refuse it, so that the saga sees a neighbour that does not answer.
"""

from enum import StrEnum
from typing import NamedTuple, Self

from domain.errors import ErrorCode
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED


class Kind(StrEnum):
    TRANSIENT = "transient"
    """No effect and no answer, once."""
    LOST = "lost"
    """The effect, and no answer."""
    LATE = "late"
    """No answer, and the effect after the next call of the same system."""
    DUPLICATE = "duplicate"
    """The effect twice."""
    OUTAGE = "outage"
    """No effect and no answer for six hours."""
    LONG_OUTAGE = "long-outage"
    """The same for 25 hours, after which the gateway has forgotten its keys."""
    REFUSED = "refused"
    """A definite no, once."""
    GARBAGE = "garbage"
    """The effect, and an answer on which the adapter breaks."""
    CANCELLED = "cancelled"
    """An operator requests the cancellation while the operation runs."""
    TERMINATED = "terminated"
    """No effect, and the workflow is lost: no code of it runs any more."""
    TERMINATED_AFTER = "terminated-after"
    """The effect, and the workflow is lost."""
    TERMINATED_LATE = "terminated-late"
    """The workflow is lost, and the effect comes after the next call of the same system."""
    ORDER_CANCELLED = "order-cancelled"
    """The customer cancels the order, if it is pending, when the operation begins."""
    ORDER_PAID = "order-paid"
    """The order, if it is pending, is paid in another way."""
    RESERVATION_EXPIRED = "reservation-expired"
    """Inventory ends the hold."""
    RESERVATION_SOLD = "reservation-sold"
    """The seat of the hold is sold in another way."""


TERMINATIONS = frozenset({Kind.TERMINATED, Kind.TERMINATED_AFTER, Kind.TERMINATED_LATE})
CHANGES = frozenset(
    {Kind.ORDER_CANCELLED, Kind.ORDER_PAID, Kind.RESERVATION_EXPIRED, Kind.RESERVATION_SOLD}
)
"""What changes the world, and leaves the operation alone."""
AFTER = frozenset({Kind.LOST, Kind.GARBAGE, Kind.TERMINATED_AFTER})
"""What happens when the operation has had its effect."""


class Scenario(StrEnum):
    """What a case would come to without its faults."""

    PAID = "paid"
    UNRESERVED = "unreserved"
    DECLINED = "declined"
    LAPSING = "lapsing"
    """The reservation lapses half an hour after the start."""
    UNRECORDABLE = "unrecordable"
    """The success can never be recorded: the payment is refunded."""
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
"""The scenarios that begin with a request; all others begin with what a lost run has left."""


class Gateway(StrEnum):
    """What a charge answers that is sent again."""

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
    """Temporal was wiped, with its schedule: the reconciliation runs when callers have been."""


class Again(StrEnum):
    """Who pays the order a second time."""

    ANOTHER = "another"
    """The same customer, as another payment."""
    SAME_KEY = "same-key"
    """The same customer, with the same Idempotency-Key."""
    STRANGER = "stranger"
    """Another customer."""


class Circumstances(NamedTuple):
    gateway: Gateway = Gateway.REPLAYS
    hearing: Hearing = Hearing.AT_ONCE
    first: First = First.RECONCILIATION
    again: Again = Again.ANOTHER

    def __str__(self) -> str:
        return " ".join(
            f"+{each}" for each, usual in zip(self, USUAL, strict=True) if each != usual
        )

    @classmethod
    def parse(cls, words: list[str]) -> Self:
        """Of words such as `+late`. Raises ValueError for one that is none of ours."""
        by_word = {f"+{each}": each for each in (*Gateway, *Hearing, *First, *Again)}
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
"""A round of these comes every ten minutes: six hours are many, a day would only take longer."""
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
