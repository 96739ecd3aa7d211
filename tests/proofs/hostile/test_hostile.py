"""A small part of `make hostile`."""

import random

import pytest

from tests.proofs.hostile.answers import EXCHANGES, attempt
from tests.proofs.hostile.payments import KINDS, HostileWorld, hostile_cases
from tests.proofs.hostile.webhooks import attack
from tests.support.proof import Part, parts_of_a_test

CASES = 25


@pytest.mark.parametrize("part", parts_of_a_test(4))
async def test_no_hostile_answer_is_misunderstood(part: Part) -> None:
    tally = await attempt(part.number, 1000)

    assert tally.wrong == []
    assert {each.split(":")[0] for each in tally.outcomes} == set(EXCHANGES)


async def test_some_changed_responses_are_still_understood() -> None:
    """Without this, the test above could pass because no response is ever understood."""
    outcomes = (await attempt(5, 3000)).outcomes

    for each in ("charge: captured", "charge: declined", "refund: succeeded", "refund: failed"):
        assert outcomes[each]
    for each in ("charge at Stripe: authorized", "capture at Stripe: captured"):
        assert outcomes[each]
    for each in ("refund at Stripe: succeeded", "void at Stripe: voided", "open at Stripe: open"):
        assert outcomes[each]
    for each in ("fetch order: read", "fetch reservation: read", "find charge: None"):
        assert outcomes[each]


@pytest.mark.parametrize("part", parts_of_a_test(4))
async def test_no_forged_webhook_is_accepted(part: Part) -> None:
    tally = await attack(part.number, 1000)

    assert tally.wrong == []
    for each in ("honest: 200, which has an effect", "genuine: 200, which has an effect"):
        assert tally.outcomes[each]  # otherwise this could pass because none is ever accepted
    for each in ("honest: 200", "genuine: 400", "forged: 400", "forged: 429", "forged: 413"):
        assert tally.outcomes[each]


@pytest.mark.parametrize("part", parts_of_a_test(4))
async def test_payments_among_hostile_neighbours_end_well(part: Part) -> None:
    async with hostile_cases() as cases:
        findings = [await cases.run(part.number * CASES + number) for number in range(CASES)]

    assert {each.seed: each.violations for each in findings if each.violations} == {}
    assert sum(each.mutated for each in findings) > CASES


async def test_every_kind_of_answer_is_attacked() -> None:
    worlds = [HostileWorld(random.Random(number)) for number in range(50)]

    assert all(any(world.left[kind] for world in worlds) for kind in KINDS)
