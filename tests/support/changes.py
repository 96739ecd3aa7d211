"""A change of the world that comes with a fault."""

from tests.support.fakes import Fault


def then(fault: Fault | None, change: object) -> Fault:
    """As the fault, after the change was made."""

    async def change_and_fail() -> None:
        assert callable(change)
        change()
        if fault is not None:
            await fault()

    return change_and_fail
