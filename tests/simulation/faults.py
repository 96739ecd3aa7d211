"""The fault model: what can happen at each operation of the saga, and every case made of it.

A case reads and parses as `paid charge:lost record_succeeded:refused`. Faults of one operation
strike its calls one after the other.
"""

import random
from collections.abc import Iterator
from enum import StrEnum
from itertools import combinations_with_replacement
from typing import NamedTuple, Self

from domain.errors import ErrorCode
from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from tests.fakes import UNAVAILABLE


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
    REFUSED = "refused"
    """A definite no, once."""
    GARBAGE = "garbage"
    """The effect, and an answer on which the adapter breaks."""
    CANCELLED = "cancelled"
    """An operator requests the cancellation while the operation runs."""


class Scenario(StrEnum):
    """What a case would come to without its faults."""

    PAID = "paid"
    UNRESERVED = "unreserved"
    DECLINED = "declined"
    LAPSING = "lapsing"
    """The reservation lapses half an hour after the start."""
    UNRECORDABLE = "unrecordable"
    """The success can never be recorded: the payment is refunded."""
    STALE = "stale"
    """The workflow was lost a day ago, after the capture; the gateway has forgotten the key."""
    REJECTED = "rejected"
    """The order is not pending."""


REFUSALS = {
    "fetch_order": ErrorCode.ORDER_NOT_FOUND,
    "fetch_reservation": ErrorCode.RESERVATION_NOT_ACTIVE,
    "record_pending": ErrorCode.RECORD_REFUSED,
    "charge": ErrorCode.PROCESSOR_ERROR,
    "find_charge": ErrorCode.PROCESSOR_ERROR,
    "void_charge": ErrorCode.PROCESSOR_ERROR,
    "refund": ErrorCode.REFUND_REFUSED,
    "find_refund": ErrorCode.PROCESSOR_ERROR,
    "has_left": ErrorCode.PROCESSOR_ERROR,
    "record_succeeded": ErrorCode.RECORD_REFUSED,
    "record_failed": ErrorCode.RECORD_REFUSED,
    "record_announcement": ErrorCode.RECORD_REFUSED,
    TOPIC_SUCCEEDED: ErrorCode.EVENT_REFUSED,
    TOPIC_FAILED: ErrorCode.EVENT_REFUSED,
}
OPERATIONS = tuple(UNAVAILABLE)


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


class Case(NamedTuple):
    scenario: Scenario
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return " ".join([self.scenario, *map(str, self.faults)])

    @classmethod
    def parse(cls, text: str) -> Self:
        scenario, *faults = text.split()
        return cls(Scenario(scenario), tuple(map(Fault.parse, faults)))


_VERIFIED = ("fetch_order", "fetch_reservation", "record_pending")
_TOLD = ("record_failed", TOPIC_FAILED, "record_announcement")
_PAID = (*_VERIFIED, "charge", "record_succeeded", TOPIC_SUCCEEDED, "record_announcement")
COURSES = {
    Scenario.PAID: _PAID,
    Scenario.UNRESERVED: tuple(each for each in _PAID if each != "fetch_reservation"),
    Scenario.DECLINED: (*_VERIFIED, "charge", *_TOLD),
    Scenario.LAPSING: _PAID,
    Scenario.UNRECORDABLE: (*_PAID[:5], "void_charge", "refund", *_TOLD),
    Scenario.STALE: (*_VERIFIED, "void_charge", *_PAID[4:]),
    Scenario.REJECTED: (*_VERIFIED, "record_failed"),
}
"""The operations that each scenario comes to without faults."""
UNKNOWN = {"charge:lost": "find_charge", "charge:outage": "void_charge"}
"""The operations that only a fault leads to."""

FAULTS = tuple(Fault(operation, kind) for operation in OPERATIONS for kind in Kind)


def singles() -> Iterator[Case]:
    """Every fault, in every scenario whose course may come to its operation."""
    for scenario, operations in COURSES.items():
        for fault in FAULTS:
            if fault.operation in operations:
                yield Case(scenario, (fault,))
    for first, operation in UNKNOWN.items():
        for kind in Kind:
            yield Case(Scenario.PAID, (Fault.parse(first), Fault(operation, kind)))


def pairs(scenario: Scenario) -> Iterator[Case]:
    """Every two faults, of which one may be the other's repetition, in one scenario."""
    for two in combinations_with_replacement(FAULTS, 2):
        yield Case(scenario, two)


def drawn(seed: int, most: int = 6) -> Case:
    """The case of a seed, with up to `most` faults."""
    dice = random.Random(seed)
    faults = dice.choices(FAULTS, k=dice.randint(1, most))
    return Case(dice.choice(list(Scenario)), tuple(faults))
