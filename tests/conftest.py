"""How pytest-xdist shares the tests out."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """The integration tests, which share a stack, in one process; every other test by itself.

    `--dist loadgroup` would say the same, but not with pytest 9.2 (pytest-xdist issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        folder = "tests/integration/"
        return folder if nodeid.startswith(folder) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
