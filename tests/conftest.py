"""How pytest-xdist distributes the tests, and how a test ends that has exceeded its time limit."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import settings
from temporalio.worker import _workflow
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("tests", deadline=None)  # else 200 ms, which a busy machine exceeds
settings.load_profile("tests")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Runs the integration tests in two processes, each with its own stack.

    One process has the tests with a browser, which take about half of the time. Every other test
    goes to whichever process is free, also the one of live alerts, which has a stack of its own.
    `--dist loadgroup` would say the same, but not with pytest 9.2 (pytest-xdist issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        groups = (
            "tests/integration/test_shop",
            "tests/integration/test_live_alerts",
            "tests/integration/",
        )
        return next((each for each in groups if nodeid.startswith(each)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
async def ends_with_its_test(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """End a test that ran out of time.

    The time-out of pytest leaves the test's task in the event loop, which all tests share: with
    its workers and servers, it would go on while the next test runs.
    """
    yield
    code = request.function.__code__
    left = {
        each for each in asyncio.all_tasks() if getattr(each.get_coro(), "cr_code", None) is code
    }
    for each in left:
        each.cancel()
    if left:
        await asyncio.wait(left)


@pytest.fixture(scope="session", autouse=True)
def patient_workers() -> Iterator[None]:
    """Let a workflow task in this process take as long as a busy machine needs.

    Temporal's SDK interrupts one that takes two seconds, which it takes for a deadlock, and has no
    option for that (sdk-python issue 1050). The interruption can strike any code, such as the
    garbage collector, and pytest then reports an unraisable exception.
    """

    class Patient(_workflow._WorkflowWorker):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._deadlock_timeout_seconds = None

    with pytest.MonkeyPatch.context() as patch:
        for module in ("_worker", "_replayer"):
            patch.setattr(f"temporalio.worker.{module}._WorkflowWorker", Patient)
        yield
