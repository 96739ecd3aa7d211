"""Cases that once broke a promise, or would if one line of the saga were missing."""

import pytest

from tests.proofs.simulation.faults import Case
from tests.proofs.simulation.in_process import simulate
from tests.proofs.simulation.on_server import simulating_on_server
from tests.proofs.simulation.simulator import Finding

KNOWN = [
    "stale record_pending:duplicate record_pending:refused",
    "paid record_succeeded:terminated-late +caller +same-key",
    "paid payment-succeeded:refused refund:terminated-late +caller +same-key",
    "paid charge:lost",
    "failed-beside-pending",
    "claimed fetch_order:refused record_compensation:terminated-after +tells +last",
    "paid payment-succeeded:worker-died-after payment-succeeded:refused",
    "paid record_succeeded:task-expired payment-succeeded:refused",
    "paid payment-succeeded:task-expired payment-succeeded:refused",
    "paid record_succeeded:worker-died-after +late",
    "paid record_succeeded:worker-died-after record_succeeded:transient +late",
    "stripe-paid open_charge:lost",
    "stripe-paid record_reference:terminated-late",
    "stripe-paid authorize:terminated-after +same-key +caller",
    "stripe-paid authorize:terminated-late +same-key +caller",
    "stripe-paid capture:terminated-after",
    "stripe-declined authorize:terminated-after",
    "stripe-not-authenticated record_wait:late record_wait:refused +tells +late +caller +stranger",
    "stripe-page find_charge:terminated",
]


def assert_the_books_agree(finding: Finding) -> None:
    assert tuple(finding.struck) == finding.case.faults
    assert finding.violations == []


@pytest.mark.parametrize("case", KNOWN)
def test_the_books_agree(case: str) -> None:
    assert_the_books_agree(*simulate([Case.parse(case)]))


@pytest.mark.timeout(600)  # some seconds on a quiet machine
@pytest.mark.parametrize("case", KNOWN)
async def test_the_books_agree_on_the_server(case: str) -> None:
    async with simulating_on_server() as simulator:
        assert_the_books_agree(await simulator.run(Case.parse(case)))
