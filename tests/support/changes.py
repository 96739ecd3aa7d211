"""A fault that also changes the fake world."""

from collections.abc import Callable

from tests.support.fakes.world import Fault


def then(fault: Fault | None, change: Callable[[], object]) -> Fault:
    """A fault that first calls `change`, then `fault` if there is one."""

    async def change_and_fail() -> None:
        change()
        if fault is not None:
            await fault()

    return change_and_fail
