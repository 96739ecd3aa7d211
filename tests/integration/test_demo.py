"""The demonstration of `make demo`, run against real servers."""

from io import StringIO

import pytest
from rich.console import Console

from devstack.demo import demonstration
from devstack.demo.demonstration import SCENARIOS, run
from tests.support.stacks import another_server
from tests.support.system import System


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "_AGREE_TIMEOUT_SECONDS", 60)


async def test_all_five_systems_record_what_the_demonstration_expects(system: System) -> None:
    output = StringIO()

    is_as_expected = await run(system.stack.environment(), Console(file=output, width=200))

    assert is_as_expected, output.getvalue()
    assert output.getvalue().count("✓") == len(SCENARIOS)


async def test_the_same_payments_are_made_at_stripe(system: System) -> None:
    output = StringIO()
    async with another_server(system.stack, gateway="stripe") as address:
        environment = {
            **system.stack.environment(),
            "GATEWAY": "stripe",
            "PAYMENT_API_URL": address,
        }

        is_as_expected = await run(environment, Console(file=output, width=200))

    assert is_as_expected, output.getvalue()
    assert output.getvalue().count("✓") == len(SCENARIOS)
