"""A small part of what `make hostile` does at length."""

import random

import pytest

from tests.proofs.hostile.answers import EXCHANGES, attempt
from tests.proofs.hostile.payments import KINDS, HostileWorld, hostility

PARTS = 4
CASES = 25


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_hostile_answer_is_misunderstood(part: int) -> None:
    tally = await attempt(part, 1000)

    assert tally.wrong == []
    assert {each.split(":")[0] for each in tally.outcomes} == set(EXCHANGES)


async def test_some_of_what_is_changed_is_still_an_answer() -> None:
    """Otherwise nothing would be said by what is not misunderstood."""
    outcomes = (await attempt(5, 1000)).outcomes

    for each in ("charge: captured", "charge: declined", "refund: succeeded", "refund: failed"):
        assert outcomes[each]
    for each in ("fetch order: read", "fetch reservation: read", "find charge: None"):
        assert outcomes[each]


@pytest.mark.parametrize("part", range(PARTS))
async def test_payments_among_hostile_neighbours_end_well(part: int) -> None:
    async with hostility() as hostile:
        findings = [await hostile.run(part * CASES + number) for number in range(CASES)]

    assert {each.seed: each.violations for each in findings if each.violations} == {}
    assert sum(each.mutated for each in findings) > CASES


async def test_every_kind_of_answer_is_attacked() -> None:
    worlds = [HostileWorld(random.Random(number)) for number in range(50)]

    assert all(any(world.left[kind] for world in worlds) for kind in KINDS)
