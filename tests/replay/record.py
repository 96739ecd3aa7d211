"""Record the histories that `test_replay.py` replays: `python -m tests.replay.record [NAME ...]`.

Without names it records those that no version has recorded. Record one anew, for the present
version, only together with a `workflow.patched()` branch that still replays the old one: payments
that are running during a deployment have histories like these. Histories of a former version are
never recorded again.
"""

import asyncio
import sys

from tests.replay.histories import PRESENT, path_of, recorded, write
from tests.replay.scenarios import SCENARIOS
from tests.support.saga_harness import SagaHarness
from tests.support.time_skipping import server_time, time_skipping


async def record(name: str) -> None:
    """Record a history on a new server. After a termination during an activity it skips no time."""
    async with time_skipping() as client:
        harness = SagaHarness(client, await server_time(client))
        async with harness.worker():
            history = await SCENARIOS[name](harness)
    path_of(PRESENT, name).parent.mkdir(parents=True, exist_ok=True)
    write(PRESENT, name, history)


async def main() -> None:
    missing = {*SCENARIOS} - {each.partition("/")[2] for each in recorded()}
    for name in sys.argv[1:] or missing:
        await record(name)


if __name__ == "__main__":
    asyncio.run(main())
