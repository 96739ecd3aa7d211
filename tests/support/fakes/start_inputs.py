"""A fake of the inputs with which Temporal has started workflows."""

from uuid import UUID

from activities.ports import StartInputs
from tests.support.fakes.world import World


class FakeStartInputs(StartInputs):
    def __init__(self, world: World) -> None:
        self._world = world

    async def token_of(
        self,
        workflow_id: str,  # noqa: ARG002 (the fake knows the tokens by payment)
        run_id: str,  # noqa: ARG002
        payment_id: UUID,
    ) -> str | None:
        return await self._world.perform("token_of", lambda: self._world.tokens.get(payment_id))
