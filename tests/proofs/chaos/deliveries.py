"""Counts the webhooks that the double has sent, and those that the API should have refused."""

import asyncio
from collections import Counter
from contextlib import suppress

import httpx

GENUINE = "genuine"
POLL_SECONDS = 1.0
"""The pause between two reads. It is shorter than the time between two restarts of the double, at
which the double forgets its counts."""


class Deliveries:
    """The numbers of webhooks over all restarts of the double, by its names of their sorts."""

    def __init__(self, address: str | None) -> None:
        """`address` is None if payments are made at the simulator, which sends no webhooks."""
        self._address = address
        self.sent: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self._latest: dict[str, Counter[str]] = {"sent": Counter(), "accepted": Counter()}

    @property
    def wrongly_accepted(self) -> int:
        return sum(count for sort, count in self.accepted.items() if sort != GENUINE)

    async def watch(self) -> None:
        """Count until cancelled."""
        if self._address is None:
            return
        async with httpx.AsyncClient(base_url=self._address, trust_env=False) as double:
            while True:
                await self.count(double)
                await asyncio.sleep(POLL_SECONDS)

    async def count(self, double: httpx.AsyncClient) -> None:
        """Add the webhooks that were sent and accepted since the last call."""
        with suppress(httpx.HTTPError, ValueError):
            found = (await double.get("/deliveries")).json()
            for name, total in (("sent", self.sent), ("accepted", self.accepted)):
                present, before = Counter(found[name]), self._latest[name]
                is_restarted = present.total() < before.total()
                total.update(present if is_restarted else present - before)
                self._latest[name] = present
