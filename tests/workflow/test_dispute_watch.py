"""Operators see a dispute until it is decided."""

from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowHandle

from domain import names
from domain.dispute import Dispute, DisputeState, FoundDispute
from domain.gateways import GatewayName
from tests.support.saga_harness import SagaHarness, attention_flags
from tests.support.time_skipping import skipping_time
from tests.support.waiting import eventually
from workflows.dispute_watch import DisputeWatch
from workflows.start import watch_dispute


def a_dispute() -> Dispute:
    return Dispute(gateway=GatewayName.STRIPE, reference=f"du_{uuid4().hex}", attempt="pi_1")


@pytest.fixture
def dispute() -> Dispute:
    return a_dispute()


def stands(harness: SagaHarness, dispute: Dispute, state: DisputeState) -> None:
    found = FoundDispute(state=state, payment_id=uuid4(), order_id=uuid4())
    harness.world.disputes[dispute.reference] = found


async def tell(harness: SagaHarness, dispute: Dispute) -> WorkflowHandle[DisputeWatch, None]:
    """Start or signal the workflow, as an event of the gateway does."""
    await watch_dispute(harness.client, dispute)
    return harness.client.get_workflow_handle_for(
        DisputeWatch.run, names.dispute_watch_id(dispute.reference)
    )


async def shown(handle: WorkflowHandle[Any, Any], *, flagged: bool) -> None:
    """Wait until the workflow is flagged, or not flagged any more."""

    async def is_shown() -> bool:
        return attention_flags(await handle.fetch_history())[-1:] == [flagged]

    await eventually(f"operators see it: {flagged}", is_shown)


async def test_a_dispute_is_shown_until_it_is_won(harness: SagaHarness, dispute: Dispute) -> None:
    stands(harness, dispute, DisputeState.OPEN)
    watch = await tell(harness, dispute)
    await shown(watch, flagged=True)

    stands(harness, dispute, DisputeState.WON)
    assert (await tell(harness, dispute)).id == watch.id

    await watch.result()
    await shown(watch, flagged=False)


async def test_a_dispute_that_is_lost_is_shown_until_somebody_cancels(
    harness: SagaHarness, dispute: Dispute
) -> None:
    stands(harness, dispute, DisputeState.LOST)
    watch = await tell(harness, dispute)
    await shown(watch, flagged=True)

    await watch.cancel()

    await watch.result()
    await shown(watch, flagged=True)


async def test_the_dispute_of_another_program_is_shown_to_nobody(
    harness: SagaHarness, dispute: Dispute
) -> None:
    watch = await tell(harness, dispute)

    await watch.result()

    assert attention_flags(await watch.fetch_history()) == []


@pytest.mark.parametrize("state", [DisputeState.OPEN, DisputeState.INQUIRY, DisputeState.LOST])
async def test_without_events_it_is_looked_at_every_day(
    harness: SagaHarness, dispute: Dispute, state: DisputeState
) -> None:
    stands(harness, dispute, state)
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            stands(harness, dispute, DisputeState.WON)

    harness.world.before["find_dispute"] = look
    watch = await tell(harness, dispute)

    async with skipping_time(harness.client):
        await watch.result()

    assert looks == 4
