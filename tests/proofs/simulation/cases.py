"""The cases: every single fault, every pair of faults, and random cases of up to six faults."""

import random
from collections.abc import Collection, Iterator
from itertools import product

from domain.names import TOPIC_FAILED, TOPIC_SUCCEEDED
from tests.proofs.simulation.faults import (
    FAULTS,
    TERMINATIONS,
    Again,
    Case,
    Circumstances,
    Delay,
    Fault,
    First,
    Gateway,
    Hearing,
    fits,
)
from tests.proofs.simulation.scenario import Scenario

CIRCUMSTANCES = tuple(
    Circumstances(*each) for each in product(Gateway, Hearing, First, Again, Delay)
)

_VERIFIED = ("fetch_order", "fetch_reservation", "record_pending")
_SUCCESS = ("record_succeeded", TOPIC_SUCCEEDED, "record_announcement")
_FAILURE = ("record_failed", TOPIC_FAILED, "record_announcement")
_UNDONE = ("record_compensation", "void_charge", "refund", *_FAILURE)
_PAID = (*_VERIFIED, "charge", *_SUCCESS)
_AUTHORIZED = (*_VERIFIED, "open_charge", "record_reference", "authorize")
_CHARGED = (*_AUTHORIZED, "capture")
_ASKED = ("record_wait", "find_charge")
_FOUND = (*_VERIFIED, "find_payment", "find_charge")
_VOIDED = ("record_compensation", "void_charge", *_FAILURE)
_UNDONE_BEFORE = (*_VERIFIED, "find_payment", *_UNDONE)
COURSES = {
    Scenario.PAID: _PAID,
    Scenario.UNRESERVED: tuple(each for each in _PAID if each != "fetch_reservation"),
    Scenario.DECLINED: (*_VERIFIED, "charge", *_FAILURE),
    Scenario.LAPSING: _PAID,
    Scenario.UNRECORDABLE: (*_VERIFIED, "charge", "record_succeeded", *_UNDONE),
    Scenario.REJECTED: (*_VERIFIED, "record_failed"),
    Scenario.REATTEMPTED: ("fetch_order", "record_pending", "charge", *_FAILURE[:2], *_SUCCESS),
    Scenario.CLAIMED: (*_VERIFIED, "find_charge", "charge", "find_payment", *_SUCCESS),
    Scenario.STALE: (*_VERIFIED, "find_charge", "find_payment", *_SUCCESS),
    Scenario.UNPUBLISHED: (*_VERIFIED, "find_charge", "find_payment", *_SUCCESS[1:]),
    Scenario.BEGUN: (*_VERIFIED, *_SUCCESS[1:]),
    Scenario.UNDONE: _UNDONE_BEFORE,
    Scenario.UNDONE_SUCCESS: _UNDONE_BEFORE,
    Scenario.REFUNDED: (*_VERIFIED, "find_charge", "find_payment", *_FAILURE),
    Scenario.FAILED_BESIDE_SUCCESS: (
        *_VERIFIED,
        "void_charge",
        "find_payment",
        "record_announcement",
    ),
    Scenario.FAILED_BESIDE_PENDING: (
        *_VERIFIED,
        "find_payment",
        "find_charge",
        "charge",
        *_SUCCESS,
        "void_charge",
    ),
    Scenario.STRIPE_PAID: (*_CHARGED, *_SUCCESS),
    Scenario.STRIPE_DECLINED: (*_AUTHORIZED, *_VOIDED),
    Scenario.STRIPE_LAPSING: (*_CHARGED, *_SUCCESS),
    Scenario.STRIPE_UNRECORDABLE: (*_CHARGED, "record_succeeded", *_UNDONE),
    Scenario.STRIPE_CLAIMED: (*_VERIFIED, "find_payment", *_FAILURE),
    Scenario.STRIPE_OPEN: (*_FOUND, *_VOIDED),
    Scenario.STRIPE_AUTHORIZED: (*_FOUND, "capture", *_SUCCESS),
    Scenario.STRIPE_STALE: (*_FOUND, *_SUCCESS),
    Scenario.STRIPE_UNPUBLISHED: (*_FOUND, *_SUCCESS[1:]),
    Scenario.STRIPE_UNDONE: _UNDONE_BEFORE,
    Scenario.STRIPE_ASKED: (*_AUTHORIZED, *_ASKED, "capture", *_SUCCESS),
    Scenario.STRIPE_NOT_AUTHENTICATED: (*_AUTHORIZED, *_ASKED, *_VOIDED),
    Scenario.STRIPE_ABANDONED: (*_AUTHORIZED, *_ASKED, *_VOIDED),
    Scenario.STRIPE_PAGE: (*_AUTHORIZED[:-1], *_ASKED, "capture", *_SUCCESS),
    Scenario.STRIPE_PAGE_ABANDONED: (*_AUTHORIZED[:-1], *_ASKED, *_VOIDED),
    Scenario.STRIPE_WAITING: (*_FOUND, "capture", *_SUCCESS),
    Scenario.STRIPE_WAIT_UNRECORDED: (*_FOUND, *_VOIDED),
}
"""The operations that each scenario calls without faults, including later requests for the same
order. `test_courses_are_complete` compares them with the real calls."""
LED_TO = {
    Case.parse("paid charge:lost"): "find_charge",
    Case.parse("paid charge:outage"): "void_charge",
    Case.parse(f"paid {TOPIC_SUCCEEDED}:refused"): "record_unsent",
    Case.parse("stripe-paid authorize:lost"): "find_charge",
    Case.parse("stripe-paid authorize:outage"): "void_charge",
    Case.parse("stripe-paid capture:lost"): "find_charge",
    Case.parse("stripe-paid capture:outage"): "void_charge",
    Case.parse("stripe-paid payment-succeeded:refused"): "refund",
}
"""Operations that are called only after a fault, by that fault."""
PAID_BY_ANOTHER = frozenset(
    {
        Scenario.REATTEMPTED,
        Scenario.STRIPE_CLAIMED,
        Scenario.STRIPE_OPEN,
        Scenario.STRIPE_WAIT_UNRECORDED,
    }
)
"""In these scenarios the second payment must be another one of the same customer (`Again`). In
`REATTEMPTED` a stranger would be rejected too early. In the others a caller with the same key would
bring the token or ask the customer, and the payment would not fail."""


def singles() -> Iterator[Case]:
    """A case for every scenario and every fault of an operation that is called in it.

    The circumstances are random, but the same in each run. A fault that loses the workflow has two
    cases: in one the reconciliation takes the payment up, in the other a caller.
    """
    for scenario, operations in COURSES.items():
        for fault in FAULTS:
            if fault.operation in operations and fits(fault, scenario):
                yield from _settings(scenario, (fault,))
    for first, operation in LED_TO.items():
        for fault in FAULTS:
            if fault.operation == operation and fits(fault, first.scenario):
                yield from _settings(first.scenario, (*first.faults, fault))


def _settings(scenario: Scenario, faults: tuple[Fault, ...]) -> Iterator[Case]:
    case = _drawn(scenario, faults)
    if faults[-1].kind not in TERMINATIONS:
        yield case
        return
    for first in First:
        yield case._replace(circumstances=case.circumstances._replace(first=first))


def _drawn(scenario: Scenario, faults: tuple[Fault, ...]) -> Case:
    case = Case(scenario, faults)
    drawn = random.Random(str(case)).choice(CIRCUMSTANCES)
    if scenario in PAID_BY_ANOTHER:
        drawn = drawn._replace(again=Again.ANOTHER)
    return case._replace(circumstances=drawn)


def pairs(single: Case, called: Collection[str]) -> Iterator[Case]:
    """All pairs of this fault with a second one, in the same circumstances.

    `called` are the operations that were called in the single case: at another operation the second
    fault could not strike. If both operations are called without any fault, the pair comes only
    once, since the order of its faults means nothing. Two faults of one operation come in both
    orders: the first strikes the first call.
    """
    (first,) = single.faults
    course = COURSES[single.scenario]
    for second in FAULTS:
        is_tried = FAULTS.index(second) < FAULTS.index(first) and second.operation in course
        can_strike = second.operation in called and fits(second, single.scenario)
        if can_strike and (second.operation == first.operation or not is_tried):
            yield single._replace(faults=(first, second))


def drawn(seed: int, most: int = 6) -> Case:
    """A random case for this seed, with one to `most` faults. Most faults hit operations that its
    scenario calls."""
    dice = random.Random(seed)
    scenario = dice.choice(list(Scenario))
    possible = [each for each in FAULTS if fits(each, scenario)]
    likely = [each for each in possible if each.operation in COURSES[scenario]]
    faults = dice.choices([*likely, *likely, *likely, *possible], k=dice.randint(1, most))
    return Case(scenario, tuple(faults), dice.choice(CIRCUMSTANCES))
