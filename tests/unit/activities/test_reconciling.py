"""A round of the reconciliation: its order, and where it continues after a lost try."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.reconciliation import Progress, ReconciliationActivities
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.fakes.refunds import FakeRefunds
from tests.support.fakes.rounds import FakeRounds
from tests.support.fakes.world import World
from tests.support.rounds import FailingPayments, RunningWorkflows

LATER = NOON + timedelta(days=1)


class Round:
    """Runs the tries of a round. Each try gets the heartbeat of the one before."""

    def __init__(self) -> None:
        self.world = World()
        self.payments = FailingPayments(self.world)
        self.workflows = RunningWorkflows(self.world)
        self.beat: list[Any] = []
        self.places: list[tuple[int, datetime]] = []
        rounds, refunds = FakeRounds(self.world), FakeRefunds(self.world)
        self._subject = ReconciliationActivities(self.payments, refunds, self.workflows, rounds)

    async def attempt(self) -> None:
        """Run one try. `world.resumed` has the rows that it has processed."""
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, heartbeat_details=self.beat)
        environment.on_heartbeat = self._keep
        self.world.resumed.clear()
        await environment.run(self._subject.resume_payments, LATER)

    def _keep(self, progress: Progress) -> None:
        self.beat = [progress.model_dump(mode="json")]
        at = progress.after.created_at if progress.after else datetime.min.replace(tzinfo=UTC)
        self.places.append((progress.step, at))


@pytest.fixture
def of_many() -> Round:
    """Ten unpublished successes, and a pending payment and a refund that are newer."""
    of_many = Round()
    for number in range(10):
        payment = a_payment(created_at=NOON + timedelta(seconds=number)).succeeded(NOON)
        of_many.world.payments[payment.id] = payment
    pending = a_payment(created_at=NOON + timedelta(hours=1))
    of_many.world.payments[pending.id] = pending
    published = pending.succeeded(NOON).announced()
    refund = a_refund(published, created_at=NOON + timedelta(hours=2))
    of_many.world.requested_refunds[refund.id] = refund
    return of_many


def in_order(world: World) -> list[Payment | Refund]:
    """The unfinished rows in the order in which a round should process them."""
    *unpublished, pending = world.payments.values()
    return [pending, *world.requested_refunds.values(), *unpublished]


async def test_pending_payments_and_refunds_are_resumed_first(of_many: Round) -> None:
    of_many.payments.is_failing = False

    await of_many.attempt()

    assert of_many.world.resumed == in_order(of_many.world)
    assert of_many.world.completed_rounds == 1


async def test_only_the_first_payment_of_an_order_is_resumed(of_many: Round) -> None:
    of_many.payments.is_failing = False
    everything = in_order(of_many.world)
    failed = everything[2]
    assert isinstance(failed, Payment)
    of_the_order = {"order_id": everything[0].order_id, "status": PaymentStatus.FAILED}
    of_many.world.payments[failed.id] = failed.model_copy(update=of_the_order)

    await of_many.attempt()

    assert [each.id for each in of_many.world.resumed] == [
        each.id for each in everything if each != failed
    ]


async def test_a_try_continues_where_the_one_before_was_lost(of_many: Round) -> None:
    everything = in_order(of_many.world)

    for first, beyond in ((0, 6), (6, 10)):
        with pytest.raises(PaymentError):
            await of_many.attempt()
        assert of_many.world.resumed == everything[first:beyond]
    await of_many.attempt()

    assert of_many.world.resumed == everything[10:]
    assert of_many.places == sorted(of_many.places)
    assert of_many.world.completed_rounds == 1


@pytest.mark.parametrize("details", [[None], ["step 1"], [{"step": "first"}]])
async def test_a_heartbeat_of_another_version_begins_anew(
    of_many: Round, details: list[object]
) -> None:
    of_many.payments.is_failing = False
    of_many.beat = details

    await of_many.attempt()

    assert of_many.world.resumed == in_order(of_many.world)


@pytest.mark.parametrize("place", [0, 2, 11])
async def test_a_workflow_that_cannot_be_started_fails_the_round_after_all_others(
    of_many: Round, place: int
) -> None:
    everything = in_order(of_many.world)
    refused = everything[place]
    assert isinstance(refused, Payment)
    of_many.workflows.refused = refused
    looked_at = []

    for _ in range(2):
        with pytest.raises(PaymentError):
            await of_many.attempt()
        looked_at += of_many.world.resumed
    with pytest.raises(ApplicationError, match="1 workflows could not be started") as failed:
        await of_many.attempt()

    assert [*looked_at, *of_many.world.resumed] == [each for each in everything if each != refused]
    assert (failed.value.type, failed.value.non_retryable) == (ErrorCode.SERVICE_UNAVAILABLE, True)
    assert of_many.world.completed_rounds == 0
