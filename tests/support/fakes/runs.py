"""A fake of the recorded workflow runs, which the fakes of payments and refunds write."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from tests.support.fakes.world import World


class FakeRuns:
    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, payment_id: UUID) -> Mapping[UUID, Sequence[str]]:
        """The runs of the payment and of its refunds, by the id of each."""
        refunds = self._world.requested_refunds.values()
        own = [refund.id for refund in refunds if refund.payment_id == payment_id]
        return {subject: self._world.runs[subject] for subject in (payment_id, *own)}
