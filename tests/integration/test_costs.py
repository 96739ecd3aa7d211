"""What one payment costs, in counts that are the same on every machine.

If a change makes payments cheaper or dearer on purpose, copy the table that this test prints.
"""

from pathlib import Path
from pprint import pformat

import pytest

from benchmarks.load.costs import Costs, read_costs
from benchmarks.load.revision import present
from benchmarks.load.system import running

BUDGET = {
    "success": Costs(
        workflow_tasks=4,
        history_events=26,
        version_events=0,
        temporal_requests=8,
        sql_statements=4,
        http_requests=2,
        kafka_records=1,
        redis_commands=3,
    ),
    "success with a reservation": Costs(
        workflow_tasks=4,
        history_events=27,
        version_events=0,
        temporal_requests=8,
        sql_statements=4,
        http_requests=3,
        kafka_records=1,
        redis_commands=3,
    ),
    "decline": Costs(
        workflow_tasks=4,
        history_events=26,
        version_events=0,
        temporal_requests=8,
        sql_statements=4,
        http_requests=2,
        kafka_records=1,
        redis_commands=3,
    ),
    "refund": Costs(
        workflow_tasks=4,
        history_events=24,
        version_events=0,
        temporal_requests=8,
        sql_statements=6,
        http_requests=2,
        kafka_records=1,
        redis_commands=2,
    ),
}


async def test_a_payment_costs_what_it_is_known_to_cost(tmp_path: Path) -> None:
    async with running(tmp_path, durable=False) as system, system.serving(present()) as service:
        costs = dict(await read_costs(service))

    if costs != BUDGET:
        table = pformat(costs, width=60, sort_dicts=False)
        pytest.fail(f"The costs have changed. They are:\n\nBUDGET = {table}", pytrace=False)
