"""The demonstration of `make demo`, run against real servers."""

from io import StringIO

from rich.console import Console

from devstack.demo.demonstration import SCENARIOS, run
from tests.support.system import System


async def test_all_five_systems_record_what_the_demonstration_expects(system: System) -> None:
    output = StringIO()

    is_as_expected = await run(system.stack.environment(), Console(file=output, width=200))

    assert is_as_expected, output.getvalue()
    assert output.getvalue().count("✓") == len(SCENARIOS)
