"""Whether payments can be accepted, and which dependency is missing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

CHECK_SECONDS = 2

Check = Callable[[], Awaitable[object]]


class Readiness:
    """Checks by dependency name. Without a `required` one no payment can be accepted at all."""

    def __init__(self, required: Mapping[str, Check], others: Mapping[str, Check]) -> None:
        self._required = required
        self._others = others

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Whether payments can be accepted, and `up` or `down` for every dependency."""
        checks = {**self._required, **self._others}
        states = await asyncio.gather(*(_state(check) for check in checks.values()))
        by_name = dict(zip(checks, states, strict=True))
        return all(by_name[name] == "up" for name in self._required), by_name


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception:  # noqa: BLE001 (whatever a client raises means that it is down)
        return "down"
    return "up"
