"""The time-skipping server keeps the time limits of our steps (see `tests/whole_seconds.py`)."""

from tests.workflow.conftest import Desk


async def test_no_time_limit_of_a_step_ends_at_a_whole_second(desk: Desk) -> None:
    handle = await desk.start(desk.an_instruction())
    await handle.result()

    limits = [
        each.activity_task_scheduled_event_attributes.schedule_to_close_timeout.nanos
        for each in (await handle.fetch_history()).events
        if each.HasField("activity_task_scheduled_event_attributes")
    ]

    assert limits
    assert all(nanos % 1_000_000 for nanos in limits)
