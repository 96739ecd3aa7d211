"""What each run has seen of its order, and whether it acts on what it has seen last.

An order may change in the moment after the last look, and nobody can see that. So the rule is not
that no changed order is ever paid: it is that no run acts against its own latest look, and that a
run looks again after a charge that was slow, or that an earlier run has made.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from temporalio import activity

from domain.events import PaymentEvent
from domain.names import TOPIC_FAILED
from domain.verification import PENDING, UNSOLD
from tests.support.fakes.world import Result

if TYPE_CHECKING:
    from tests.support.fakes.world import World

CHARGING = frozenset({"charge", "authorize", "capture", "find_charge", "void_charge"})
QUICK: tuple[list[str], ...] = ([], ["charge"], ["authorize"], ["capture"])
"""A part of a charge (before its capture, or from its capture on) is quick if its calls are one of
these lists: no call, or one call that succeeded at once."""
CAPTURING = {"record_succeeded": "recorded", "capture": "captured"}


class Looks:
    """`broken` are the sentences that say what a run did against what it had seen."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._answers: dict[tuple[str, str], Any] = {}
        self._calls: dict[str, list[str]] = defaultdict(list)
        self.broken: list[str] = []

    def noting(self, operation: str, effect: Callable[[], Result]) -> Callable[[], Result]:
        """Wrap the effect: check it against this run's latest responses, and keep the new one."""
        if not activity.in_activity():
            return effect
        run = activity.info().workflow_run_id or ""
        self._calls[run].append(operation)

        broken = list(self._broken_by(run, CAPTURING.get(operation)))

        def judged() -> Result:
            result = effect()
            self.broken += broken
            self._answers[run, operation] = result
            return result

        return judged

    def judge_event(self, event: PaymentEvent) -> None:
        """Judge an event of which nobody has heard before."""
        run = activity.info().workflow_run_id or ""
        if event.topic != TOPIC_FAILED:
            return
        order = self._answers.get((run, "fetch_order"))
        if order is not None and order.state != PENDING:
            self.broken.append(f"a failure was published of an order seen to be {order.state}")
        held = self._answers.get((run, "fetch_reservation"))
        if event.reservation_id and held is not None and held.status not in UNSOLD:
            self.broken.append(f"seats were freed of a reservation seen to be {held.status}")

    def _broken_by(self, run: str, what: str | None) -> Iterator[str]:
        """Yield what is wrong if this run captures a payment or records its success now.

        `what` is "captured", "recorded", or None for another call.
        """
        if what is None:
            return
        order = self._answers.get((run, "fetch_order"))
        if order is not None and order.state != PENDING:
            yield f"a payment was {what} of an order seen to be {order.state}"
        calls = self._calls[run][:-1]
        if what == "captured" and "capture" in calls:
            return  # another try of the step, after which the order is verified again
        looks = [place for place, call in enumerate(calls) if call == "fetch_order"]
        if _end_of_slowness(calls) > (looks[-1] if looks else -1):
            yield f"a payment was {what} after a slow charge, without another look"


def _end_of_slowness(calls: list[str]) -> int:
    """The index of the last call of a slow charge. It is -1 if the charge was quick."""
    charges = [place for place, call in enumerate(calls) if call in CHARGING]
    first = {call: calls.index(call) for call in ("authorize", "capture") if call in calls}
    begun, captured = first.get("authorize", 0), first.get("capture", len(calls))
    before = [place for place in charges if begun <= place < captured]
    after = [place for place in charges if place >= captured]
    slow = [each for each in (before, after) if [calls[place] for place in each] not in QUICK]
    return max((each[-1] for each in slow), default=-1)
