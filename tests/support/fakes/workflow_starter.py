"""A fake of the client that resumes workflows."""

from activities.ports import WorkflowStarter
from domain.payment import Payment
from domain.refund import Refund
from tests.support.fakes.world import World


class FakeWorkflowStarter(WorkflowStarter):
    """Records the payments and refunds that are resumed."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def resume(self, payment: Payment) -> bool:
        await self._world.perform("resume", lambda: self._world.resumed.append(payment))
        return True

    async def resume_refund(self, refund: Refund) -> bool:
        await self._world.perform("resume", lambda: self._world.resumed.append(refund))
        return True
