"""A fault that also changes the fake world."""

from tests.support.fakes import Fault


def then(fault: Fault | None, change: object) -> Fault:
    """A fault that first calls `change`, then `fault` if there is one."""

    async def change_and_fail() -> None:
        assert callable(change)
        change()
        if fault is not None:
            await fault()

    return change_and_fail
