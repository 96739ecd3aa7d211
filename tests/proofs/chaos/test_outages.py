"""Each server is away as often as requested, long enough, and at the same time as other faults."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.proofs.chaos import nemesis as nemesis_module
from tests.proofs.chaos.__main__ import Load
from tests.proofs.chaos.faults import Kind
from tests.proofs.chaos.nemesis import Nemesis
from tests.proofs.chaos.outages import AWAY, MANNERS, Outage, outages
from tests.support.proof import Part

MOMENT = 0.01


@pytest.mark.parametrize("seed", range(5))
def test_every_server_is_away_twice_for_a_minute_or_two(seed: int) -> None:
    coming = outages(2, Random(seed))

    assert Counter(each.server for each in coming) == dict.fromkeys(AWAY, 2)
    assert {(each.server, each.manner) for each in coming} == {
        (server, manner) for server in AWAY for manner in MANNERS
    }
    assert all(60 <= each.seconds <= 120 for each in coming)
    assert coming == outages(2, Random(seed))


def test_the_parts_of_a_run_are_the_whole_run() -> None:
    loads = [Load(100, 7, Part(number, 3), 40, 2, 2, "") for number in (1, 2, 3)]

    assert sorted(number for load in loads for number in load.numbers) == list(range(100))
    assert sorted(each for load in loads for each in load.outages_of_part()) == sorted(
        Load(100, 7, Part(), 40, 2, 2, "").outages_of_part()
    )
    assert len({load.dice.random() for load in loads}) == 3


@dataclass
class FakeSystem:
    """Records which faults are injected at the same time, and injects none."""

    dice: Random = field(default_factory=lambda: Random(1))
    present: Counter[str] = field(default_factory=Counter)
    together: list[Counter[str]] = field(default_factory=list)
    stack: Any = field(default_factory=lambda: SimpleNamespace(status=list))
    blocked: asyncio.Event = field(default_factory=asyncio.Event)

    def kind(self, target: str, manner: str, *, blocks: bool = False) -> Kind:
        @asynccontextmanager
        async def inject() -> AsyncIterator[None]:
            self.present[target] += 1
            self.together.append(+self.present)
            yield
            if blocks:
                await self.blocked.wait()
            self.present[target] -= 1

        return Kind(target, manner, inject)

    def away(self, name: str, manner: str) -> Kind:
        return self.kind(name, manner)

    def workflows_lost(self) -> Kind:
        return self.kind("workflows", "terminated")


def a_nemesis(system: FakeSystem, kinds: list[Kind], *coming: Outage) -> Nemesis:
    fake: Any = system
    return Nemesis(fake, kinds, 2, coming)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nemesis_module, "LASTS", (MOMENT / 10, MOMENT / 5))
    monkeypatch.setattr(nemesis_module, "PAUSE", (0, MOMENT / 10))
    monkeypatch.setattr("tests.proofs.chaos.outages.PAUSE", (0, MOMENT))


async def run_to_the_end(nemesis: Nemesis) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(nemesis.run())
        await nemesis.outages_over.wait()
        nemesis.stop()


async def test_outages_overlap_each_other_and_other_faults_but_none_of_the_same_part() -> None:
    system = FakeSystem()
    kinds = [system.kind(name, "killed") for name in ("postgres", "api", "worker")]
    coming = [Outage(name, "killed", 20 * MOMENT) for name in ("postgres", "kafka", "gateway")]
    nemesis = a_nemesis(system, kinds, *coming)

    await run_to_the_end(nemesis)

    assert sorted(outage for outage, _ in nemesis.past_outages) == sorted(coming)
    assert all(fault.ended - fault.began >= 20 * MOMENT for _, fault in nemesis.past_outages)
    assert any({"postgres", "kafka"} <= each.keys() for each in system.together)
    assert any({"kafka", "api"} <= each.keys() for each in system.together)
    assert max(times for each in system.together for times in each.values()) == 1


async def test_payments_lose_their_workflows_while_a_server_is_away() -> None:
    system = FakeSystem()
    nemesis = a_nemesis(system, [], Outage("postgres", "frozen", MOMENT))

    await run_to_the_end(nemesis)

    assert Counter({"postgres": 1, "workflows": 1}) in system.together
    assert [each.kind for each in nemesis.past_faults] == [
        "workflows:terminated",
        "postgres:away, frozen",
    ]


async def test_a_component_that_cannot_start_delays_no_other_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nemesis_module, "MAX_START_SECONDS", MOMENT)
    system = FakeSystem()
    kinds = [system.kind(name, "killed", blocks=True) for name in ("worker", "shop")]
    nemesis = a_nemesis(system, [*kinds, system.kind("api", "killed")])

    async with asyncio.TaskGroup() as group:
        group.create_task(nemesis.run())
        async with asyncio.timeout(10):
            while "api:killed" not in {each.kind for each in nemesis.past_faults[1:]}:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(MOMENT)
        assert not {"worker:killed", "shop:killed"} & {each.kind for each in nemesis.past_faults}
        system.blocked.set()
        nemesis.stop()
