"""A few of the hostile requests of `make fuzz`: none is a bug, and no amount is read wrongly."""

import pytest

from tests.proofs.fuzz.trial import attempt


@pytest.mark.parametrize("seed", range(4))
async def test_a_hostile_request_gets_an_allowed_response(seed: int) -> None:
    tally = await attempt(seed, inputs=1_000)

    assert tally.inputs == 1_000
    assert {200, 202, 400, 404, 405, 415} <= tally.statuses.keys()
