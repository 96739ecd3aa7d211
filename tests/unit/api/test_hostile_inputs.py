"""A few of the hostile requests of `make fuzz`: none is a bug, and no amount is read wrongly."""

import pytest

from tests.proofs.fuzz.trial import attempt
from tests.support.proof import Part, parts_of_a_test


@pytest.mark.parametrize("part", parts_of_a_test(4))
async def test_a_hostile_request_gets_an_allowed_response(part: Part) -> None:
    tally = await attempt(part.number, inputs=1_000)

    assert tally.inputs == 1_000
    assert {200, 202, 400, 404, 405, 415} <= tally.statuses.keys()
