"""What an event about a refund that a caller requested leads to."""

import pytest

from domain.refund import Refund
from tests.support.builders import NOON, a_refund
from tests.support.stripe_events import refund_metadata
from tests.unit.api.webhooks.test_following import REFUND, SUCCEEDED, Received


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.mark.parametrize("name", ["refund.updated", "refund.failed"])
@pytest.mark.parametrize("is_running", [True, False])
async def test_a_refund_gets_a_signal(received: Received, name: str, *, is_running: bool) -> None:
    received.running = {REFUND} if is_running else set()
    received.state.recorded = [SUCCEEDED]

    await received.receive(name, refund_metadata(SUCCEEDED, REFUND))

    assert received.effects == ([REFUND] if is_running else [])


REQUESTED = a_refund(SUCCEEDED.announced(), id=REFUND)
REFUNDED = REQUESTED.succeeded(NOON)
UNWATCHED: dict[str, tuple[str, Refund, list[Refund]]] = {
    "failed": ("refund.failed", REFUNDED, [REFUNDED]),
    "updated": ("refund.updated", REFUNDED, []),
    "pending": ("refund.failed", REQUESTED, []),
    "known to have failed": ("refund.failed", REFUNDED.failed_later(NOON), []),
    "at the simulator": ("refund.failed", REFUNDED.model_copy(update={"gateway": "simulator"}), []),
}


@pytest.mark.parametrize(("name", "refund", "watched"), UNWATCHED.values(), ids=UNWATCHED)
async def test_a_refund_that_fails_when_nobody_watches_it_is_watched_again(
    received: Received, name: str, refund: Refund, watched: list[Refund]
) -> None:
    received.state.recorded, received.state.recorded_refunds = [SUCCEEDED], [refund]

    await received.receive(name, refund_metadata(SUCCEEDED, REFUND))

    assert received.refunds_watched == watched
