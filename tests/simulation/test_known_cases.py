"""Cases that once broke a promise, or would if one line of the saga were missing."""

import pytest

from tests.simulation.faults import Case
from tests.simulation.simulator import simulating


@pytest.mark.parametrize(
    "case",
    [
        "stale record_pending:duplicate record_pending:refused",
        "paid record_succeeded:terminated-late +caller +same-key",
        "paid payment-succeeded:refused refund:terminated-late +caller +same-key",
        "paid charge:lost",
        "failed-beside-pending",
    ],
)
async def test_the_books_agree(case: str) -> None:
    async with simulating() as simulator:
        finding = await simulator.run(Case.parse(case))

    assert tuple(finding.struck) == Case.parse(case).faults
    assert finding.violations == []
