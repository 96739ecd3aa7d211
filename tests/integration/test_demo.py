"""What `make demo` shows: every payment ends as it says, and the five places agree."""

from io import StringIO

from rich.console import Console

from devstack.demo.demonstration import SCENARIOS, run
from tests.integration.shop import Shop


async def test_the_demonstration_tells_the_truth(shop: Shop) -> None:
    output = StringIO()

    agrees = await run(shop.stack.environment(), Console(file=output, width=200))

    assert agrees, output.getvalue()
    assert output.getvalue().count("✓") == len(SCENARIOS)
