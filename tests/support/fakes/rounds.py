"""A fake of the record of completed rounds."""

from activities.ports import Rounds
from tests.support.fakes.world import World


class FakeRounds(Rounds):
    def __init__(self, world: World) -> None:
        self._world = world

    async def record_completed(self) -> None:
        self._world.completed_rounds += 1
